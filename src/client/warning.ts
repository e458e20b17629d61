/**
 * Prints a warning where a person will see it: a line on stderr, which leaves stdout to data. In a CI job the line is a
 * workflow command, which GitHub Actions reads from stderr too and shows on the job's page.
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
 */
export function printWarning(message: string, isCi: boolean): void {
  process.stderr.write(formatWarning(message, isCi));
}

/** The line, with what would end a workflow command escaped as the runner expects. */
export function formatWarning(message: string, isCi: boolean): string {
  if (!isCi) return `warning: ${message}\n`;
  const escaped = message.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  return `::warning::${escaped}\n`;
}
