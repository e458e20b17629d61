import { Socket } from 'node:net';

/** Imported into a process it makes all that it says to others take longer, and only that: what the guard has to find. */
const BUSY_MS = 1;

const sockets: { write: (...args: never) => boolean } = Socket.prototype;

sockets.write = new Proxy(sockets.write, {
  apply(write, socket, args) {
    const until = performance.now() + BUSY_MS;
    while (performance.now() < until);
    return Reflect.apply(write, socket, args) as boolean;
  },
});
