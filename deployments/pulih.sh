#!/bin/bash
# Installed as /usr/local/sbin/pulih: a verb with the account, the secrets and the Prefect server of the worker. Since
# the unit's name begins with "pulih-", it is given the credentials that all units of Pulih are given. It begins in the
# state directory, so names of files begin with "/".
exec systemd-run --quiet --collect --wait --pipe --pty --unit="pulih-verb-$$" \
  --uid=pulih --working-directory=/var/lib/pulih \
  --property=StateDirectory=pulih --property=StateDirectoryMode=0700 --property=UMask=0077 \
  --property=EnvironmentFile=-/etc/pulih/prefect.env \
  --setenv=PREFECT_HOME=/var/lib/pulih/prefect --setenv=DO_NOT_TRACK=1 \
  -- /opt/pulih/.venv/bin/pulih "${@//\$/\$\$}" # a "$" is a variable's to systemd, unless it is doubled
