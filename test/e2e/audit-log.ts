import { readFile } from 'node:fs/promises';

/** One request that the Kubernetes API has answered. */
export interface AuditEntry {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource?: string;
    readonly subresource?: string;
  };
  readonly responseStatus?: { readonly code?: number };
  readonly annotations?: Readonly<Record<string, string>>;
}

const path = process.env['E2E_AUDIT_LOG'];

/** Reads the API server's audit log; undefined where it is not to be had. */
export const auditLog = path === undefined ? undefined : () => readAuditLog(path);

async function readAuditLog(path: string): Promise<AuditEntry[]> {
  const lines = (await readFile(path, 'utf8')).split('\n');
  // The last one may be half written.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as AuditEntry);
}
