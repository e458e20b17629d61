/**
 * Offset at which a text stops being JSON (RFC 8259); undefined when it is JSON. `JSON.parse` decides what is
 * accepted; this says where the fault lies, which `JSON.parse` leaves out of most of its messages.
 */
export function findJsonError(text: string): number | undefined {
  const open: string[] = [];
  let expected: Expected = 'value';
  for (let offset = skipSpace(text, 0); ; offset = skipSpace(text, offset)) {
    if (offset === text.length) return expected === 'end' ? undefined : offset;
    const token = readToken(text, offset);
    const next: Expected | undefined = token && follow(expected, token.kind, open);
    if (next === undefined || token === undefined) return offset;
    expected = next;
    offset += token.length;
  }
}

/** As people count: both from 1. */
export function lineAndColumn(
  text: string,
  offset: number,
): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

type Expected = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or close' | 'end';
type TokenKind = '{' | '}' | '[' | ']' | ':' | ',' | 'string' | 'literal';

const SPACE = /[ \t\n\r]*/y;
// Inside a string JSON forbids U+0000 to U+001F, and no other control character.
// oxlint-disable-next-line no-control-regex
const STRING = /"[^"\\\u0000-\u001F]*(?:\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4})[^"\\\u0000-\u001F]*)*"/y;
const LITERAL = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[Ee][+-]?\d+)?|true|false|null)(?![\w.+-])/y;
const PUNCTUATION = /[{}[\]:,]/y;

function skipSpace(text: string, offset: number): number {
  return offset + matchLength(SPACE, text, offset);
}

function readToken(
  text: string,
  offset: number,
): { readonly kind: TokenKind; readonly length: number } | undefined {
  if (matchLength(PUNCTUATION, text, offset) > 0)
    return { kind: text.charAt(offset) as TokenKind, length: 1 };
  const string = matchLength(STRING, text, offset);
  if (string > 0) return { kind: 'string', length: string };
  const literal = matchLength(LITERAL, text, offset);
  return literal > 0 ? { kind: 'literal', length: literal } : undefined;
}

function matchLength(pattern: RegExp, text: string, offset: number): number {
  pattern.lastIndex = offset;
  return pattern.exec(text)?.[0].length ?? 0;
}

/** What may come after the token; undefined when the token may not stand here. Keeps `open` up to date. */
function follow(expected: Expected, token: TokenKind, open: string[]): Expected | undefined {
  const afterValue = () => (open.length === 0 ? 'end' : ', or close');
  switch (expected) {
    case 'value':
    case 'value or ]':
      if (token === 'string' || token === 'literal') return afterValue();
      if (token === ']' && expected === 'value or ]') return close(open, afterValue);
      if (token !== '{' && token !== '[') return undefined;
      open.push(token);
      return token === '{' ? 'key or }' : 'value or ]';
    case 'key':
    case 'key or }':
      if (token === 'string') return ':';
      return token === '}' && expected === 'key or }' ? close(open, afterValue) : undefined;
    case ':':
      return token === ':' ? 'value' : undefined;
    case ', or close':
      if (token === ',') return open.at(-1) === '{' ? 'key' : 'value';
      return token === (open.at(-1) === '{' ? '}' : ']') ? close(open, afterValue) : undefined;
    case 'end':
      break;
  }
  return undefined;
}

function close(open: string[], afterValue: () => Expected): Expected {
  open.pop();
  return afterValue();
}
