#!/usr/bin/env bash
# Install the Debian packages that the tests use and this machine lacks, and build the root of the systemd test host.
# Needs root; nothing installed starts by itself.
set -euo pipefail
mapfile -t missing < <("$(dirname "$0")/missing.sh")
# Minutes, once per machine; then it is looked for and found.
build_host() { python3 "$(dirname "$0")/systemd_root.py"; }
if [ ${#missing[@]} -eq 0 ]; then
  build_host
  exit
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "missing: ${missing[*]}. First: sudo apt install ${missing[*]}" >&2
  exit 1
fi
# A package's own server would take ports and memory: the tests start theirs.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
build_host
