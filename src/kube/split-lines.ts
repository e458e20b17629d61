const NEWLINE = 0x0a;

/**
 * The lines of a byte stream, decoded as UTF-8. The split is made on bytes, where 0x0A is never part of another
 * character, so that a character which two chunks share stays whole. A last line without its newline is dropped: in a
 * watch it is an event that was cut off.
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<string, void, undefined> {
  // Pieces of the line at hand, joined once: an event may come in hundreds of them.
  let pieces: Uint8Array[] = [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      pieces.push(chunk.subarray(start, end));
      start = end + 1;
      const line = Buffer.concat(pieces).toString('utf8');
      pieces = [];
      if (line !== '') yield line;
    }
    if (start < chunk.length) pieces.push(chunk.subarray(start));
  }
}
