import { crc32, gunzipSync, gzipSync } from 'node:zlib';

export type GunzippedText =
  | { readonly ok: true; readonly bytes: Buffer }
  | { readonly ok: false; readonly message: string };

/** Base64 of gzip, as a PhaseRun's `dataGzip` carries a payload. */
export function encodeGzip(text: string): string {
  return gzipSync(text).toString('base64');
}

/**
 * Undoes {@link encodeGzip}, strictly: canonical base64 (RFC 4648 §4), whole gzip and nothing after it, and never more
 * than `limitBytes` out of it, however small it came. The message is a sentence without its subject.
 */
export function decodeGzip(base64: string, limitBytes: number): GunzippedText {
  const packed = Buffer.from(base64, 'base64');
  if (packed.toString('base64') !== base64) return { ok: false, message: 'must be base64' };
  try {
    return gunzip(packed, limitBytes);
  } catch (error) {
    return {
      ok: false,
      message: isTooLarge(error) ? `must not unpack to more than ${limitBytes} bytes` : NOT_GZIP,
    };
  }
}

const NOT_GZIP = 'must be one gzip member, whole and with nothing after it';

// gunzip passes over whatever follows; that the text ends with its own trailer (RFC 1952 §2.3) shows that nothing does.
function gunzip(packed: Buffer, maxOutputLength: number): GunzippedText {
  const bytes = gunzipSync(packed, { maxOutputLength });
  const trailer = packed.subarray(-8);
  const whole = trailer.readUInt32LE(0) === crc32(bytes) && trailer.readUInt32LE(4) === bytes.length;
  return whole ? { ok: true, bytes } : { ok: false, message: NOT_GZIP };
}

function isTooLarge(error: unknown): boolean {
  return error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}
