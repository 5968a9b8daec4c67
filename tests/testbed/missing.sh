#!/bin/sh
# Print the Debian packages that Pulih's tests need and this machine lacks, one per line: `make test` and install.sh ask.
# Servers' programs lie where an account's PATH does not lead.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
for directory in /usr/lib/postgresql/*/bin; do PATH="$PATH:$directory"; done
while read -r program package; do
  command -v "$program" >/dev/null 2>&1 || echo "$package"
done <<END
git git
make make
zstd zstd
age age
sqlite3 sqlite3
openssl openssl
pdftotext poppler-utils
postgres postgresql
mariadbd mariadb-server
jq jq
chromium chromium
setfattr attr
debootstrap debootstrap
ssh openssh-client
sshd openssh-server
radosgw radosgw
ceph-mon ceph-mon
ceph-osd ceph-osd
END
python3 -c 'import venv, ensurepip' 2>/dev/null || echo python3-venv
