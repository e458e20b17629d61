/**
 * Validator of routes whose schema documents, while a parser of src/domain judges: it knows every spelling that clients
 * use and names fields as they spelled them.
 */
export function documentOnly() {
  return (value: unknown): { value: unknown } => ({ value });
}
