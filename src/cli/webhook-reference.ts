import { Argument, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { shellWord } from './arguments.ts';
import { CommandFailure } from './failure.ts';

const uuid = z.guid();

/** `<webhook-id>`. */
export function webhookArgument(): Argument {
  return new Argument('<webhook-id>', 'as "admin webhook list" shows it').argParser((text: string) => {
    if (uuid.safeParse(text).success) return text;
    throw new InvalidArgumentError('It is a UUID.');
  });
}

export function noSuchWebhook(id: string, customer: string): CommandFailure {
  return new CommandFailure(`customer ${customer} has no webhook ${id}`, {
    advice: `List them with: phaserun admin webhook list --customer ${shellWord(customer)}`,
  });
}

export function webhookDisabled(id: string, customer: string): CommandFailure {
  return new CommandFailure(`webhook ${id} is disabled`, {
    advice: `Enable it with: phaserun admin webhook enable ${id} --customer ${shellWord(customer)}`,
  });
}
