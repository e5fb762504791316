#!/bin/bash
# Make a folder that holds Debian sid with its Blender, and start that Blender: what the window tests need on a machine without one.
#
#   tests/gui/install_blender.sh FOLDER                 install (needs root; some 2 minutes, 1.5 GB)
#   SAPIENS2_BLENDER="tests/gui/install_blender.sh run FOLDER" pytest tests/gui
set -euo pipefail

if [ "${1:?folder, or run}" = run ]; then
    root=${2:?folder}
    shift 2
    project=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
    # The Python of the worker is often a link to one elsewhere on this machine.
    python=$(readlink -f "${WORKER_PYTHON:-$project/.venv/bin/python}")
    prefix=$(dirname "$(dirname "$python")")
    exec bwrap --bind "$root" / --dev-bind /dev /dev --proc /proc --bind /tmp /tmp --bind "$project" "$project" \
        $([ "$prefix" = /usr ] || echo --ro-bind "$prefix" "$prefix") \
        --setenv HOME /tmp/blender-home --setenv LANG C.UTF-8 --setenv LIBGL_ALWAYS_SOFTWARE 1 --unsetenv WAYLAND_DISPLAY \
        --chdir "$PWD" /usr/bin/blender "$@"
fi

root=$1
[ -x "$root/usr/bin/blender" ] && exit 0
apt-get install -y -qq --no-install-recommends debootstrap bubblewrap xvfb xauth imagemagick >/dev/null
mirror=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources)
debootstrap --variant=minbase sid "$root" "$mirror" >"$root.log" 2>&1 || debootstrap --variant=minbase --no-check-gpg sid "$root" "$mirror" >"$root.log" 2>&1
cat >"$root/etc/apt/apt.conf.d/99small" <<'CONF'
APT::Install-Recommends "0";
Acquire::Check-Valid-Until "false";
DPkg::Options { "--force-unsafe-io"; };
CONF
cp /etc/resolv.conf /etc/hosts "$root/etc/"
mount -t proc proc "$root/proc"
trap 'umount "$root/proc" || true' EXIT
chroot "$root" apt-get -qq update
DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get install -y -qq blender libgl1 libegl1 libgl1-mesa-dri libglx-mesa0 libegl-mesa0 \
    mesa-vulkan-drivers libvulkan1 fonts-dejavu-core python3-numpy python3-cattr python3-requests python3-zstandard libxtst6 imagemagick >>"$root.log" 2>&1
chroot "$root" apt-get clean
mkdir -p /tmp/blender-home
chroot "$root" blender --version | head -1
