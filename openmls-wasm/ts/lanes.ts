/**
 * Calls that wait for the app: in order within a group, independent of other groups.
 *
 * A message says in the clear which group it is for (RFC 9420 §6), a Welcome only when it is opened. So calls enter one
 * after the other, each as soon as its group is known, and then wait for those of their group only.
 */

import { hexOf } from './hex.js';

// See the module's documentation.
export class Lanes {
  readonly #tails = new Map<string, Promise<void>>();
  #entry: Promise<unknown> = Promise.resolve();

  /**
   * Runs `task` after all tasks of its lane that were handed in before.
   * @param lane finds out its name; undefined: it could not be found out, so all tasks before go first, and those behind
   * wait
   */
  run<T>(lane: () => string | Promise<string | undefined>, task: () => Promise<T>): Promise<T> {
    const entered = this.#entry.then(async () => {
      const name = await lane();
      if (name !== undefined) {
        // In an object: who enters next does not wait for the outcome.
        return { outcome: this.#append(name, task) };
      }
      await Promise.all(this.#tails.values());
      const outcome = task();
      await settled(outcome);
      return { outcome };
    });
    this.#entry = settled(entered);
    return entered.then(({ outcome }) => outcome);
  }

  #append<T>(name: string, task: () => Promise<T>): Promise<T> {
    const outcome = (this.#tails.get(name) ?? Promise.resolve()).then(task);
    const tail = settled(outcome);
    this.#tails.set(name, tail);
    void tail.then(() => {
      if (this.#tails.get(name) === tail) {
        this.#tails.delete(name);
      }
    });
    return outcome;
  }
}

function settled(promise: Promise<unknown>): Promise<void> {
  return promise.then(
    () => undefined,
    () => undefined,
  );
}

// The name of a group's lane.
export function laneOfGroup(groupId: Uint8Array): string {
  return hexOf(groupId);
}

// The lane of a framed MLSMessage. Bytes that are none are refused later; it does not matter in which lane.
export function laneOfMessage(message: Uint8Array): string {
  return laneOfGroup(groupOfMessage(message));
}

// The group of a framed MLSMessage: both kinds of messages of a group begin with its id (RFC 9420 §6.2, §6.3).
export function groupOfMessage(message: Uint8Array): Uint8Array {
  // ProtocolVersion and WireFormat, then the id as a vector: the two highest bits of its length say how many bytes that
  // has (RFC 9420 §2.1.2).
  const first = message[4] ?? 0;
  const size = 1 << (first >> 6);
  let length = first & 0x3f;
  for (const byte of message.subarray(5, 4 + size)) {
    length = length * 256 + byte;
  }
  return message.slice(4 + size, 4 + size + length);
}
