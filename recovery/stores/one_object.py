"""Reading one thing of a store among many: whether it cannot be read, or the whole store does not answer."""

from collections.abc import Callable
from typing import TypeVar

from recovery.errors import ObjectMissingError, ObjectTooLargeError, ObjectUnreadableError, StoreError
from recovery.stores.base import Store

Read = TypeVar("Read")


def read_one(store: Store, read: Callable[[], Read]) -> Read:
    """Given a store and how to read one thing of it, return what was read.

    Whoever may write to a store can put there what nobody can read: under a name that no store takes, as a link or a
    pipe, far too large. Raises ObjectUnreadableError for that, so that the caller goes on without this one thing;
    StoreError when the store as a whole does not answer: who then went on would take less for all that is there.
    """
    try:
        return read()
    except (ObjectMissingError, ObjectTooLargeError) as error:
        raise _unreadable(error) from error
    except StoreError:
        store.check()  # raises when all of the store is out of reach, and not this one thing
    try:
        return read()  # it may have been an outage that is over
    except StoreError as error:
        store.check()
        raise _unreadable(error) from error


def _unreadable(error: StoreError) -> ObjectUnreadableError:
    return ObjectUnreadableError(error.message, state=error.state, hint=error.hint)
