#!/bin/sh
# Boot ROOT as a machine, in the namespaces in which this runs: systemd_boot.sh ROOT MOUNTPOINT DATA [SOURCE PLACE]...
# All that is written outside of /srv lies in memory and goes with the namespaces. Says "ready" before systemd begins, and waits for a
# line, so that whoever boots it can put files into it.
set -eu
lower=$1 place=$2 data=$3
shift 3
mount -t tmpfs -o mode=755,size=75% testbed "$place"
mkdir "$place/upper" "$place/work" "$place/root"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$place/upper,workdir=$place/work" "$place/root"
root=$place/root
mount -t proc proc "$root/proc"
# The kernel's settings are the machine's: nothing in here may change them.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755,size=64m tmpfs "$root/dev"
for node in null zero full random urandom tty; do
  touch "$root/dev/$node"
  mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for number in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${number%:*}" "$root/dev/${number#*:}"; done
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
# Data lies on a real file system of one layer, where whoever booted this can look at it.
mount --bind "$data" "$root/srv"
# What is lent to it can be written to in there, and stays as it is here.
lent=0
while [ $# -gt 0 ]; do
  lent=$((lent + 1))
  mkdir -p "$place/upper-$lent" "$place/work-$lent" "$root$2"
  mount -t overlay overlay -o "lowerdir=$1,upperdir=$place/upper-$lent,workdir=$place/work-$lent" "$root$2"
  shift 2
done
hostname testhost
cd "$root"
mkdir run/before
pivot_root . run/before
cd /
umount -l /run/before
rmdir /run/before
# As a machine's own systemd does it, and one in a container leaves it to whoever boots it: what mounts a unit's credentials
# is a process with mounts of its own.
mount --make-rshared /
echo ready
read -r _
exec env -i container=testbed PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system \
  --log-target=console --show-status=0 systemd.unified_cgroup_hierarchy=1 </dev/null >&2
