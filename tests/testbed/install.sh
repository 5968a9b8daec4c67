#!/usr/bin/env bash
# Install the Debian packages that the tests use and this machine lacks, and build the root of the systemd test host.
# Needs root; nothing installed starts by itself.
set -euo pipefail
missing=()
command -v make >/dev/null || missing+=(make)
command -v zstd >/dev/null || missing+=(zstd)
command -v age >/dev/null || missing+=(age)
command -v sqlite3 >/dev/null || missing+=(sqlite3)
command -v openssl >/dev/null || missing+=(openssl)
command -v pdftotext >/dev/null || missing+=(poppler-utils)
command -v jq >/dev/null || missing+=(jq)
command -v chromium >/dev/null || missing+=(chromium)
command -v setfattr >/dev/null || missing+=(attr)
{ command -v ssh && [ -x /usr/sbin/sshd ]; } >/dev/null || missing+=(openssh-client openssh-server)
{ command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; } || missing+=(postgresql)
{ command -v mariadbd >/dev/null || [ -x /usr/sbin/mariadbd ]; } || missing+=(mariadb-server)
command -v mariadb-dump >/dev/null || missing+=(mariadb-client)
command -v debootstrap >/dev/null || missing+=(debootstrap)
{ command -v radosgw && command -v ceph-mon && command -v ceph-osd; } >/dev/null || missing+=(radosgw ceph-mon ceph-osd)
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
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
