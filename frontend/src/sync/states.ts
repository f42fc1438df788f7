/**
 * How far an own message got.
 *
 * `saving`: its `sendMessage` call is pending, nothing of it is durable yet.
 * `waiting`: durable in the outbox. `sent`: the delivery service took it.
 * `failed`: not saved, or refused by the delivery service; the user may try again.
 */
export type MessageState = 'saving' | 'waiting' | 'sent' | 'failed';

export interface UnsavedMessage {
  id: string;
  conversation: string;
  text: string;
  at: number;
  failure?: string;
}

/** The states of own messages. In memory: on start they follow from the crypto client's outbox. */
export class MessageStates {
  private readonly unsaved = new Map<string, UnsavedMessage>();
  private readonly waiting = new Map<string, string>();
  private readonly refused = new Map<string, string>();
  /** Taken by the delivery service, but still in the outbox until they come back in the log. */
  private readonly taken = new Set<string>();

  constructor(private readonly changed: (conversation: string) => void) {}

  /** The state of a message that is in the history. */
  of(id: string): MessageState {
    if (this.refused.has(id)) return 'failed';
    return this.waiting.has(id) ? 'waiting' : 'sent';
  }

  failure(id: string): string | undefined {
    return this.refused.get(id);
  }

  unsavedIn(conversation: string): UnsavedMessage[] {
    return [...this.unsaved.values()].filter((message) => message.conversation === conversation);
  }

  unsavedMessage(id: string): UnsavedMessage | undefined {
    return this.unsaved.get(id);
  }

  save(message: UnsavedMessage): void {
    this.unsaved.set(message.id, message);
    this.changed(message.conversation);
  }

  notSaved(id: string, failure: string): void {
    const message = this.unsaved.get(id);
    if (message === undefined) return;
    this.unsaved.set(id, { ...message, failure });
    this.changed(message.conversation);
  }

  /** The message is in the history now. */
  saved(id: string): void {
    const message = this.unsaved.get(id);
    if (message === undefined) return;
    this.unsaved.delete(id);
    this.changed(message.conversation);
  }

  /** What is in memory only, and would be lost with it: what was not saved, or of which it is not known yet. */
  allUnsaved(): UnsavedMessage[] {
    return [...this.unsaved.values()];
  }

  /** What an earlier engine had not saved, shown as failed: the user may try again, under the same id. */
  restore(messages: readonly UnsavedMessage[], failure: string): void {
    for (const message of messages) {
      this.unsaved.set(message.id, { failure, ...message });
      this.changed(message.conversation);
    }
  }

  discard(id: string): void {
    this.saved(id);
  }

  inOutbox(id: string, conversation: string): void {
    this.waiting.set(id, conversation);
    this.changed(conversation);
  }

  /** The delivery service has it: no second upload while its echo is on the way. */
  sent(id: string): void {
    this.taken.add(id);
    this.forget(id);
  }

  /** Whether it stands behind all others: it has no place in the log yet, or one that the history does not know yet. */
  standsLast(id: string): boolean {
    return this.of(id) !== 'sent' || this.taken.has(id);
  }

  isTaken(id: string): boolean {
    return this.taken.has(id);
  }

  /** It left the outbox. */
  settled(id: string): void {
    this.taken.delete(id);
    this.forget(id);
  }

  refuse(id: string, conversation: string, code: string): void {
    this.refused.set(id, code);
    this.changed(conversation);
  }

  isRefused(id: string): boolean {
    return this.refused.has(id);
  }

  retry(id: string, conversation: string): void {
    if (this.refused.delete(id)) this.changed(conversation);
  }

  private forget(id: string): void {
    const conversation = this.waiting.get(id);
    this.waiting.delete(id);
    this.refused.delete(id);
    if (conversation !== undefined) this.changed(conversation);
  }
}
