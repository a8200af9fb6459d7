#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# vm.sh COMMAND...    run a command, as root and in this folder, on another kernel in a virtual machine
#
# For what this machine's kernel lacks (VLAN interfaces), or to see another one: the newest of Debian's for this release
# and its backports, or KERNEL, a linux-image package's file. The machine's root is this one's, read only, under a layer
# of memory: what was built here runs there, and nothing that happens there stays. Exits with the command's status.
set -eu

[ $# -gt 0 ] || { sed -n '4s/^# //p' "$0" >&2; exit 2; }
tmp=$(mktemp -d /var/tmp/toe-vm.XXXXXX)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
trouble() { echo "vm.sh: $*" >&2; exit 125; }

need=(qemu-system-x86 busybox-static cpio kmod xz-utils)
[ "$(dpkg-query -W -f '${db:Status-Status}\n' "${need[@]}" 2> /dev/null | grep -cx installed)" = ${#need[@]} ] ||
	apt-get install -y -q --no-install-recommends "${need[@]}" > "$tmp/log" 2>&1 ||
	trouble "apt-get install ${need[*]} failed"

# The newest kernel. Lists of its own: the machine's sources stay as they are.
fetch() {
	local apt=(-o "Dir::State::lists=$tmp/lists" -o "Dir::Etc::sourcelist=$tmp/list" -o Dir::Etc::sourceparts=/dev/null)
	mkdir -p "$tmp/lists/partial"
	# shellcheck disable=SC2016 # fields for apt-get
	apt-get indextargets --format 'deb $(REPO_URI) $(CODENAME) main' 'Created-By: Packages' |
		awk '$3 !~ /-/ { print; print $1, $2, $3 "-backports", $4; exit }' > "$tmp/list"
	apt-get "${apt[@]}" -q update
	apt-cache "${apt[@]}" depends linux-image-amd64=* | awk '/Depends: linux-image-/ { print $2 }' |
		sort -V | tail -n 1 > "$tmp/name"
	(cd "$tmp" && apt-get "${apt[@]}" -q download "$(cat name)")
}
deb=${KERNEL:-}
if [ -z "$deb" ]; then
	fetch > "$tmp/log" 2>&1 || trouble "no kernel: $(tail -n 1 "$tmp/log")"
	deb=$(echo "$tmp"/*.deb)
fi
dpkg -x "$deb" "$tmp/kernel"
version=$(basename "$tmp"/kernel/lib/modules/*)
depmod -b "$tmp/kernel" "$version"

# What is needed until the root is there
first=$tmp/first
mkdir -p "$first"/{bin,proc,sys,dev,lower,upper,root}
cp /bin/busybox "$first/bin/"
for m in virtio_pci 9pnet_virtio 9p overlay; do
	modprobe -d "$tmp/kernel" -S "$version" --show-depends "$m"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
	name=$(basename "$file" .xz)
	xz -dcf "$file" > "$first/$name"
	echo "insmod /$name"
done > "$first/modules"
cat > "$first/command" <<- EOF
	cd ${PWD@Q} && export PATH=${PATH@Q} HOME=/root
	ip link set lo up; ulimit -n 65536
	${@@Q}
	echo \$? > /dev/ttyS1
	exec busybox poweroff -f
EOF
cat > "$first/init" <<- EOF
	#!/bin/busybox sh
	/bin/busybox --install /bin
	mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
	. /modules
	mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose host /lower
	mount -t tmpfs layer /upper; mkdir /upper/data /upper/work
	mount -t overlay -o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work root /root
	for d in proc sys dev; do mount --move /\$d /root/\$d; done
	mkdir -p /root/dev/shm /root/lib/modules
	for d in tmp run dev/shm; do mount -t tmpfs \$d /root/\$d; done
	mount --bind /lower$tmp/kernel/lib/modules /root/lib/modules
	stty -opost < /root/dev/ttyS0
	cp /command /root/run/command
	# The process that this shell is: the kernel looks for modprobe under its root.
	exec switch_root /root /bin/bash /run/command < /root/dev/null
EOF
chmod +x "$first/init"
(cd "$first" && find . | cpio -o -H newc --quiet | gzip -1) > "$tmp/initramfs"

# Without the processor's help it is some ten times slower.
run=(-accel tcg -cpu max)
[ -w /dev/kvm ] && grep -qwE -m 1 'vmx|svm' /proc/cpuinfo && run=(-accel kvm -cpu host)
qemu-system-x86_64 "${run[@]}" -smp "$(nproc)" -m 6G -no-reboot -nodefaults -display none \
	-kernel "$tmp"/kernel/boot/vmlinuz-* -initrd "$tmp/initramfs" -append 'console=ttyS0 quiet panic=-1' \
	-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
	-serial stdio -serial "file:$tmp/status" < /dev/null || trouble "qemu ended with status $?"
status=$(tr -cd '0-9' < "$tmp/status")
exit "${status:-125}"
