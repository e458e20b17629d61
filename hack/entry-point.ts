import { readFileSync } from 'node:fs';

const DOCKERFILE = new URL('../Dockerfile', import.meta.url);

/**
 * How the image starts the program, by its Dockerfile: program and arguments, before the command. For who starts what
 * hack/image or `npm run build` made in another place, `app`, and wants it to run as it does in production.
 */
export function readEntryPoint(app: string): [program: string, ...args: string[]] {
  const words = /^ENTRYPOINT (.*)$/m.exec(readFileSync(DOCKERFILE, 'utf8'))?.[1] ?? '[]';
  const [program = 'node', ...args]: string[] = JSON.parse(words);
  return [program, ...args.map((word) => word.replace(/^\/app(?=\/)/, app))];
}
