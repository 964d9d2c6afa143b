#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Becomes a command in a root of its own, as a container has it. To be run in new mount and pid namespaces:
#   unshare --mount --pid --fork container.sh ROOT WORDS COMMAND [ARG…]
# WORDS, comma separated: ro (read-only root), noshm (no /dev/shm), noproc (no /proc), host (keeps the host's root; only /dev/shm
# is another)
set -e
root=$1 words=,$2,
shift 2
has() { case $words in *,"$1",*) return 0 ;; esac; return 1; }
mount --make-rprivate /
if has host; then
	mount -t tmpfs -o size=64m shm /dev/shm
	exec "$@"
fi
mount -t tmpfs root "$root"
cd "$root"
mkdir -p usr etc dev/shm proc tmp old own
mount --rbind /usr usr
for dir in bin lib lib64 sbin; do ln -s usr/$dir $dir; done
# What is run is copied in: the rest of the host is not there.
cp "$1" own/
for file in $COPY; do cp "$file" own/; done
echo box >etc/hostname
echo 'boxer:x:0:0::/:/bin/sh' >etc/passwd
echo 'boxers:x:0:' >etc/group
touch dev/null
mount --bind /dev/null dev/null
mount -t proc proc proc
has noshm || mount -t tmpfs -o noexec,nosuid,nodev,mode=1777,size=64m shm dev/shm
pivot_root . old
umount -l /old
rmdir /old
! has noproc || umount -l /proc
! has ro || mount -o remount,bind,ro /
command=/own/${1##*/}
shift
exec "$command" "$@"
