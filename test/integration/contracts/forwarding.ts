import type { Received, Reply } from '../../fixtures/scripted-server.ts';

/** Answers as the server at this address does. */
export function forwardTo(url: string): Reply {
  return (response, request) => {
    void pass(url, request).then(({ status, type, text }) =>
      response.writeHead(status, { 'content-type': type }).end(text),
    );
  };
}

/** Has the request served, and hangs up instead of passing on the answer. */
export function losingTheAnswerOf(url: string): Reply {
  return (response, request) => void pass(url, request).then(() => response.destroy());
}

async function pass(url: string, { method, url: path, headers, body }: Received) {
  const { host: _host, connection: _connection, 'content-length': _length, ...passed } = headers;
  const answer = await fetch(url + path, {
    method,
    headers: passed as Record<string, string>,
    ...(method !== 'GET' && { body: JSON.stringify(body) }),
  });
  const type = answer.headers.get('content-type') ?? 'text/plain';
  return { status: answer.status, type, text: await answer.text() };
}
