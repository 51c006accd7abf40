#!/bin/bash
# boot-two.sh LAB: boots two machines of the lab (see README.md) that are connected by a network of their own.
cd "$1" || exit 1
rm -f share/begun share/over share/listening
boot() { # NAME MAC CLOCK SCRIPT NETWORK
  mkdir -p "share-$1"; rm -rf "share-$1"/*; cp share/*.sh share/service "share-$1/"; echo "$4" > "share-$1/scn"
  timeout 600 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 2048 -nographic -no-reboot -snapshot \
    -kernel rootfs/boot/vmlinuz-* -initrd rootfs/boot/initrd.img-* -rtc base="$3" \
    -append "root=/dev/vda rw console=ttyS0 init=/lab-init net.ifnames=0 panic=5 mitigations=off tsc=reliable clocksource=tsc" \
    -drive file=root.img,if=none,id=d0,format=raw -device virtio-blk-pci,drive=d0 \
    -drive file=traces.img,if=none,id=d1,format=raw -device virtio-blk-pci,drive=d1 \
    -netdev user,id=n0 -device virtio-net-pci,netdev=n0 \
    -netdev socket,id=n1,"$5" -device virtio-net-pci,netdev=n1,mac="$2" \
    -virtfs local,path="share-$1",mount_tag=share,security_model=none -device virtio-rng-pci > "boot-$1.log" 2>&1
}
NOW=$(date -u +%Y-%m-%dT%H:%M:%S); LATER=$(date -u -d '+3 seconds' +%Y-%m-%dT%H:%M:%S)
boot web 52:54:00:00:00:01 "$NOW" two-hosts.sh listen=127.0.0.1:18181 &
sleep 1
boot db 52:54:00:00:00:02 "$LATER" two-hosts-db.sh connect=127.0.0.1:18181 &
# What one machine has touched the other one sees.
while [ -n "$(jobs -r)" ]; do
  for flag in begun over listening; do
    for from in web db; do [ -e share-$from/$flag ] && touch share-web/$flag share-db/$flag; done
  done
  sleep 0.2
done
