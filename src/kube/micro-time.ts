/** `metav1.MicroTime`: the server answers 400 to an RFC 3339 time with any other number of digits. */
export function microTime(date: Date): string {
  return date.toISOString().replace('Z', '000Z');
}
