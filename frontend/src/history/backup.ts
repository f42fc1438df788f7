/**
 * The history as it goes along in a backup of the crypto client: text, one JSON value a line. The first line says what it is
 * and whose, each other one is a record.
 *
 * Conversations and lines. Not what was still to be done (intentions): it belongs to commits that are in no backup.
 */
import type { History } from './history.ts';
import { HistoryError } from './sealing.ts';
import { newConversation } from './take-over.ts';
import type { ChatEvent, ChatLine, Conversation } from './types.ts';

/** A record of a backup, and where it goes. */
export type BackedUp = { store: 'conversations'; record: Conversation } | { store: 'lines'; record: ChatLine };

/** Whose history it is. */
export interface BackupOwner {
  user: string;
  client: string;
}

export interface HistoryBackup {
  content: Blob;
  records: number;
  /** How many could not be read, and are not in it. */
  damaged: number;
}

const format = 1;
const app = 'openmls-wasm chat';
/** Records that are brought back at once. */
const recordsAtOnce = 200;

/**
 * Writes the history down, some records at a time.
 * @param waiting ids of messages that are in the outbox, which no backup has
 * @param onProgress told how many records are in it so far
 */
export async function writeBackup(
  history: Pick<History, 'parts'>,
  owner: BackupOwner,
  waiting: ReadonlySet<string>,
  onProgress: (records: number) => void = () => undefined,
): Promise<HistoryBackup> {
  let content = new Blob([`${JSON.stringify({ app, format, ...owner })}\n`]);
  let [records, damaged] = [0, 0];
  const add = (part: readonly BackedUp[]): void => {
    // A Blob of Blobs: the browser may keep it on the disk.
    content = new Blob([content, ...part.map((one) => `${JSON.stringify(one)}\n`)]);
    records += part.length;
    onProgress(records);
  };
  // Lines first: a conversation that is read after them knows of all of them.
  for await (const part of history.parts('lines')) {
    damaged += part.damaged;
    add(part.records.map((record) => ({ store: 'lines', record: whileWaiting(record, waiting) })));
  }
  for await (const part of history.parts('conversations')) {
    damaged += part.damaged;
    // One whose group has yet to be made is no conversation with anybody.
    add(part.records.filter(({ unmade }) => unmade !== true).map((record) => ({ store: 'conversations', record })));
  }
  return { content, records, damaged };
}

/** Of what waits to be sent nobody will know whether it was. */
function whileWaiting(line: ChatLine, waiting: ReadonlySet<string>): ChatLine {
  return line.kind === 'text' && waiting.has(line.id) ? { ...line, unsent: 'unknown' } : line;
}

/**
 * Reads what `writeBackup` has written, some records at a time. Nothing of it is believed: the file may be anybody's.
 * @throws HistoryError `foreign-backup` if it is of another app, or of another account
 */
export async function* readBackup(content: Blob | undefined, owner: BackupOwner): AsyncGenerator<BackedUp[], void> {
  let some: BackedUp[] = [];
  let first = true;
  for await (const line of linesOf(content ?? new Blob())) {
    if (first) {
      checkHead(line, owner);
      first = false;
      continue;
    }
    some.push(recordOf(line));
    if (some.length < recordsAtOnce) continue;
    yield some;
    some = [];
  }
  if (first) throw new HistoryError('foreign-backup');
  yield some;
}

async function* linesOf(content: Blob): AsyncGenerator<unknown, void> {
  const reader = content.stream().pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    const lines = (rest + (value ?? '')).split('\n');
    rest = lines.pop() ?? '';
    if (done && rest !== '') lines.push(rest);
    for (const line of lines) yield parse(line);
    if (done) return;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HistoryError('foreign-backup', error);
  }
}

function checkHead(value: unknown, owner: BackupOwner): void {
  const head = fields(value);
  if (head['app'] !== app) throw new HistoryError('foreign-backup');
  if (head['format'] !== format) throw new HistoryError('newer-format');
  if (head['user'] !== owner.user || head['client'] !== owner.client) throw new HistoryError('identity-conflict');
}

function recordOf(value: unknown): BackedUp {
  const { store, record } = fields(value);
  if (store === 'conversations' && isConversation(fields(record))) return { store, record: record as Conversation };
  if (store === 'lines' && isLine(fields(record))) return { store, record: record as ChatLine };
  throw new HistoryError('foreign-backup');
}

type Fields = Record<string, unknown>;

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number => Number.isFinite(value);
const areTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const isGroup = (value: unknown): boolean => isText(value) && /^([0-9a-f]{2})+$/.test(value);

const standings: ReadonlySet<unknown> = new Set<Conversation['standing']>(['member', 'leaving', 'left', 'removed', 'damaged', 'inert', 'lost']);

function isConversation({ id, name, members, proposers, standing, preview, ...numbers }: Fields): boolean {
  const { changedAt, lastOrder, lastPosition, unread } = numbers;
  const { sender, text } = fields(preview);
  return (
    isGroup(id) &&
    isText(name) &&
    areTexts(members) &&
    areTexts(proposers) &&
    standings.has(standing) &&
    (preview === undefined || (isText(sender) && isText(text))) &&
    [changedAt, lastOrder, lastPosition, unread].every(isNumber)
  );
}

const events: ReadonlySet<unknown> = new Set<ChatEvent['type']>([
  'created', 'joined', 'came-back', 'named', 'added', 'device-added', 'removed', 'left', 'you-removed', 'you-left', 'unreadable',
]);

function isLine({ id, conversation, order, after, at, kind, sender, text, event }: Fields): boolean {
  const { type, users } = fields(event);
  return (
    isText(id) &&
    isGroup(conversation) &&
    [order, after, at].every(isNumber) &&
    (kind === 'text' ? isText(sender) && isText(text) : kind === 'event' && events.has(type) && (users === undefined || areTexts(users)))
  );
}

/** Makes of the records of a backup what they are where they are brought back: the keys of groups are in no backup. */
export class BringingBack {
  /** Of each conversation the last line that came. */
  private readonly ends = new Map<string, { order: number; position: number }>();
  private readonly conversations = new Set<string>();

  /** @param inert the groups that can be joined anew, in hex */
  constructor(private readonly inert: ReadonlySet<string>) {}

  take(one: BackedUp): BackedUp {
    if (one.store === 'conversations') return { store: one.store, record: this.conversation(one.record) };
    const { conversation, order, after, position = after } = one.record;
    const end = this.ends.get(conversation) ?? { order: 0, position: 0 };
    this.ends.set(conversation, { order: Math.max(end.order, order), position: Math.max(end.position, position) });
    return one;
  }

  /** The conversations of which there is nothing but a group, or lines: their own records could not be read. */
  rest(now: number): BackedUp[] {
    const missing = [...this.inert, ...this.ends.keys()].filter((id) => !this.conversations.has(id));
    return [...new Set(missing)].map((id) => ({ store: 'conversations', record: this.conversation(newConversation(id, now, true)) }));
  }

  private conversation(record: Conversation): Conversation {
    const { id, standing } = record;
    this.conversations.add(id);
    const end = this.ends.get(id) ?? { order: 0, position: 0 };
    const isOver = standing === 'left' || standing === 'removed';
    return {
      ...record,
      // What comes next comes behind all there is.
      lastOrder: Math.max(record.lastOrder, end.order),
      lastPosition: Math.max(record.lastPosition, end.position),
      proposers: [],
      standing: isOver ? standing : this.inert.has(id) ? 'inert' : 'lost',
    };
  }
}
