/** Whether it is a forge's id of an account: a number, of which text keeps every digit. */
export function isOwnerId(id: unknown): id is string {
  return typeof id === 'string' && /^[1-9]\d{0,19}$/.test(id);
}
