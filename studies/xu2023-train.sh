#!/bin/sh
# One run of the study: xu2023-train.sh ARCH DATA SEED [options of `joulery train`]. xu2023.md has the variables.
set -eu
arch=$1 data=$2 seed=$3
shift 3

case $data in
  cifar10) spec=${XU2023_CIFAR10-} size=32 instead=shapes:4000:1 ;;
  mnist)   spec=${XU2023_MNIST-}   size=48 instead=shapes:4000:2 ;;
  *) echo "xu2023-train.sh: expected cifar10 or mnist, found '$data'" >&2; exit 2 ;;
esac
if [ -z "$spec" ]; then
  echo "no images of $data (XU2023_CIFAR10, XU2023_MNIST): $instead stands in, and accuracies mean nothing" >&2
  spec=$instead
fi

weights=${XU2023_WEIGHTS-}/$arch.safetensors
if [ -n "${XU2023_WEIGHTS-}" ]; then
  set -- --weights "$weights" "$@"
else
  echo "no weights (XU2023_WEIGHTS): the base is as the seed draws it, and accuracies mean nothing" >&2
fi

# as the paper: the base frozen, two dense layers of 4096, dropout, Adam, batches of 32, pixels / 255
exec "${JOULERY-joulery}" train --arch "$arch" --data "$spec" --size "$size" --freeze base --head 4096,4096 --dropout 0.5 \
  --optimizer adam --batch 32 --normalize 0,0,0/1,1,1 --seed "$seed" "$@"
