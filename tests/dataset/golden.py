#!/usr/bin/env python3
"""Writes tests/data/images/ and tests/data/images_golden.txt: what Pillow (9.4, Debian 12: python3-pil) makes of
decoding and resizing. Run it from the repository's root with Debian's python3.

Lines of the golden file: "resize WIDTH HEIGHT OUT HASH" for the pattern below as an RGB image, and
"decode FILE WIDTH HEIGHT HASH"; the hash is 64-bit FNV-1a over the RGB bytes."""
import io
from pathlib import Path

from PIL import Image

data = Path("tests/data")


def fnv(content):
    value = 0xCBF29CE484222325
    for byte in content:
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return f"{value:016x}"


def pattern(width, height):
    """Bytes of a linear congruential generator, row by row, red green blue."""
    state, out = 1, bytearray()
    for _ in range(width * height * 3):
        state = (state * 1103515245 + 12345) % 2**31
        out.append(state >> 16 & 255)
    return Image.frombytes("RGB", (width, height), bytes(out))


def smooth(width, height):
    pixels = [((x * 255) // width, (y * 255) // height, (x * y) % 256) for y in range(height) for x in range(width)]
    image = Image.new("RGB", (width, height))
    image.putdata(pixels)
    return image


def main():
    folder = data / "images"
    folder.mkdir(parents=True, exist_ok=True)
    image = smooth(24, 16)
    image.save(folder / "colour.jpg", quality=90)
    image.save(folder / "progressive.jpg", quality=80, progressive=True)
    image.convert("L").save(folder / "grey.jpg")
    image.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    image.save(folder / "colour.png")
    image.convert("L").save(folder / "grey.png")
    image.quantize(16).save(folder / "palette.png")
    image.convert("RGBA").save(folder / "alpha.png")
    buffer = io.BytesIO()
    smooth(64, 64).save(buffer, "JPEG")
    (folder / "truncated.jpg").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) * 2 // 3])
    (folder / "truncated.png").write_bytes((folder / "colour.png").read_bytes()[:-40])
    lines = []
    for width, height, out in [(32, 32, 32), (28, 28, 32), (32, 32, 224), (100, 60, 32), (37, 200, 33), (5, 3, 64),
                               (1, 1, 8), (300, 300, 1), (64, 32, 32)]:
        resized = pattern(width, height).resize((out, out), Image.BILINEAR)
        lines.append(f"resize {width} {height} {out} {fnv(resized.tobytes())}")
    for path in sorted(folder.iterdir()):
        if not path.stem.startswith("truncated"):
            decoded = Image.open(path)
            lines.append(f"decode {path.name} {decoded.width} {decoded.height} {fnv(decoded.convert('RGB').tobytes())}")
    (data / "images_golden.txt").write_text("\n".join(lines) + "\n")


main()
