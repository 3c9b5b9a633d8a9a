import jsQR from "jsqr";

/** The text of a QR code in a picture of so many pixels a side, four bytes (red, green, blue, opacity) each. */
export function readQrCode(pixels: Uint8ClampedArray, size: number): string | undefined {
  return jsQR.default(pixels, size, size)?.data;
}
