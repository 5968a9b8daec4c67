"""One server per engine for all tests of the corpus, and the dump of its rich database."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.recovery.sabotage.corpus import Corpus
from tests.recovery.sabotage.mariadb_corpus import MariadbCorpus
from tests.recovery.sabotage.postgresql_corpus import PostgresqlCorpus
from tests.recovery.sabotage.proving import Original, dump_of
from tests.testbed.engines import first_every_time

# An engine joins by a class as corpus.Corpus says.
CORPORA: dict[str, Any] = {"postgresql": PostgresqlCorpus, "mariadb": MariadbCorpus}


@dataclass(frozen=True)
class Rich:
    """An engine's corpus, and the dump of its database with objects of every kind."""

    corpus: Corpus
    original: Original


@pytest.fixture(scope="module", params=first_every_time())
def corpus(request: pytest.FixtureRequest) -> Iterator[Corpus]:
    """A server with nothing in it."""
    with CORPORA[request.param].serve() as served:
        yield served


@pytest.fixture(scope="module")
def rich(corpus: Corpus) -> Rich:
    """The database that is to be spoilt."""
    return Rich(corpus, dump_of(corpus.rich()))
