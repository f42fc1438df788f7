/**
 * The app's decision on every credential that enters a group (RFC 9420 §5.3.1).
 *
 * What comes in is inspected first, on a scratch copy; then the app is asked, which may take its time; then the same bytes
 * are processed, in the epoch of the inspection only. If the group has moved on meanwhile, all that is done again.
 * Inspecting and what needs no decision are one operation of the engine, so nothing can come between them.
 */

import { CoreCryptoError, isMlsError, messageOf } from './errors.js';
import { groupOfMessage, Lanes } from './lanes.js';
import type {
  CredentialContext,
  CredentialToValidate,
  CredentialValidator,
  InboxItem,
  IncomingMessage,
  IncomingWelcome,
  MlsClientApi,
} from './mls-types.js';

/** Runs an operation of the engine, and settles when it is durable. */
export type Run = <T>(operation: (client: MlsClientApi) => T) => Promise<T>;

/** What the app is to decide on. */
export interface Question {
  readonly context: CredentialContext;
  readonly credentials: readonly CredentialToValidate[];
}

/** An operation by which credentials may enter a group. All three are synchronous, and change nothing if they throw. */
export interface Steps<T> {
  /** Who would enter. */
  readonly inspect: (client: MlsClientApi) => Question;
  /** What `inspect` throws is the outcome. Otherwise a refusal of the engine is left to `accept`. */
  readonly inspectable?: true;
  /** Does it; `epoch` is that of the inspection, undefined if there could be none. */
  readonly accept: (client: MlsClientApi, epoch: bigint | undefined) => T;
  /** What comes of it instead if the app refuses. Default: the call rejects. */
  readonly refuse?: (client: MlsClientApi, epoch: bigint | undefined) => T;
}

/** Ends an operation of the engine that cannot go on without the app. */
class AskFirst extends CoreCryptoError {
  constructor(readonly question: Question) {
    super('epoch-changed', 'the app is asked first');
  }
}

/** See the module's documentation. */
export class Guard {
  /** Calls that may have to wait for the app. */
  readonly lanes = new Lanes();
  readonly #validate: CredentialValidator;
  readonly #waiting = new Set<(reason: CoreCryptoError) => void>();
  #ended: CoreCryptoError | undefined;
  #asking = 0;

  /** @param ended fulfilled when nobody is to be waited for any more */
  constructor(validate: CredentialValidator, ended: Promise<CoreCryptoError>) {
    this.#validate = validate;
    void ended.then((reason) => {
      this.#ended = reason;
      this.#waiting.forEach((end) => end(reason));
    });
  }

  /** Whether the app is thinking about a question. */
  get asking(): boolean {
    return this.#asking > 0;
  }

  /** Does something, if the app accepts whoever enters by it. @throws `credential-rejected`, `validator-failed` */
  async decide<T>(run: Run, steps: Steps<T>): Promise<T> {
    let accepted: Question | undefined;
    for (;;) {
      try {
        return await run((client) => attempt(client, steps, accepted));
      } catch (error) {
        if (!(error instanceof AskFirst)) {
          throw error;
        }
        accepted = error.question;
      }
      const refusal = await this.#ask(accepted);
      if (refusal === undefined) {
        continue;
      }
      const { refuse } = steps;
      const { epoch } = accepted.context;
      accepted = undefined;
      if (refuse === undefined) {
        throw refusal;
      }
      try {
        return await run((client) => refuse(client, epoch));
      } catch (error) {
        if (!hasCode(error, 'epoch-changed')) {
          throw error;
        }
      }
    }
  }

  /** Undefined if the app accepts all of them. @throws `validator-failed` */
  async #ask({ credentials, context }: Question): Promise<CoreCryptoError | undefined> {
    for (const credential of credentials) {
      this.#asking += 1;
      const verdict = await this.#unlessEnded(this.#verdict(credential, context)).finally(() => {
        this.#asking -= 1;
      });
      if (verdict instanceof CoreCryptoError) {
        if (verdict.code !== 'credential-rejected') {
          throw verdict;
        }
        return verdict;
      }
    }
    return undefined;
  }

  /** Waits no longer than the session lasts; keeps nothing of the promise behind. */
  async #unlessEnded<T>(promise: Promise<T>): Promise<T | CoreCryptoError> {
    if (this.#ended !== undefined) {
      return this.#ended;
    }
    let end: (reason: CoreCryptoError) => void = () => undefined;
    const ended = new Promise<CoreCryptoError>((resolve) => {
      end = resolve;
    });
    this.#waiting.add(end);
    try {
      return await Promise.race([promise, ended]);
    } finally {
      this.#waiting.delete(end);
    }
  }

  async #verdict(credential: CredentialToValidate, context: CredentialContext): Promise<true | CoreCryptoError> {
    try {
      const verdict = await this.#validate(credential, context);
      return verdict === true
        ? true
        : new CoreCryptoError('credential-rejected', `the app rejected a credential (${credential.reason}); nothing was done`);
    } catch (error) {
      // Not a refusal: that would be for ever, and the app may just have been offline.
      const message = `validateCredential did not answer (${credential.reason}): ${messageOf(error)}; nothing was done`;
      return new CoreCryptoError('validator-failed', message, { cause: error });
    }
  }
}

function attempt<T>(client: MlsClientApi, steps: Steps<T>, accepted: Question | undefined): T {
  if (accepted !== undefined) {
    try {
      return steps.accept(client, accepted.context.epoch);
    } catch (error) {
      if (!hasCode(error, 'epoch-changed')) {
        throw error;
      }
    }
  }
  const question = inspected(client, steps);
  if (question !== undefined && question.credentials.length > 0) {
    throw new AskFirst(question);
  }
  return steps.accept(client, question?.context.epoch);
}

function inspected<T>(client: MlsClientApi, steps: Steps<T>): Question | undefined {
  try {
    return steps.inspect(client);
  } catch (error) {
    // Without its records nobody can tell who enters by it.
    if (steps.inspectable === true || !isMlsError(error) || error.code === 'not-loaded') {
      throw error;
    }
    return undefined;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return (isMlsError(error) || error instanceof CoreCryptoError) && error.code === code;
}

/** Who enters by a message. @param expected the epoch that the app itself inspected it in */
export function questionOfMessage(client: MlsClientApi, bytes: Uint8Array, expected: bigint | undefined): Question {
  const { groupId, groupEpoch, credentials } = client.inspectMessage(bytes);
  if (expected !== undefined && expected !== groupEpoch) {
    throw new CoreCryptoError(
      'epoch-changed',
      `the message was inspected in epoch ${expected}, the group is in epoch ${groupEpoch}: inspect it again`,
    );
  }
  return { context: { groupId, epoch: groupEpoch }, credentials };
}

/** Who is in the group of a Welcome. */
export function questionOfWelcome(
  client: MlsClientApi,
  welcome: Uint8Array,
  ratchetTree: Uint8Array | undefined,
): Question {
  const { groupId, epoch, credentials } = client.inspectWelcome(welcome, ratchetTree);
  return { context: { groupId, epoch }, credentials };
}

/** Who is added by key packages. */
export function questionOfKeyPackages(
  client: MlsClientApi,
  groupId: Uint8Array,
  keyPackages: readonly Uint8Array[],
): Question {
  const credentials = keyPackages.map((keyPackage): CredentialToValidate => {
    const { credential, signatureKey } = client.inspectKeyPackage(keyPackage);
    return credential.kind === 'basic'
      ? { reason: 'added', identity: credential.identity, certificates: [], signatureKey }
      : { reason: 'added', identity: new Uint8Array(), certificates: credential.certificates, signatureKey };
  });
  return { context: { groupId }, credentials };
}

/** Handing in something of a delivery service. */
export interface ReceivingSteps extends Steps<InboxItem | undefined> {
  /** The group, if that can be told before; otherwise the item names it. */
  readonly groupId?: Uint8Array;
}

/** An entry of a group's log. */
export function receivingMessage(message: IncomingMessage): ReceivingSteps {
  const at = (epoch: bigint | undefined): IncomingMessage =>
    epoch === undefined ? message : { ...message, inspectedEpoch: epoch };
  return {
    groupId: groupOfMessage(message.bytes),
    inspect: (client) => questionOfMessage(client, message.bytes, message.inspectedEpoch),
    accept: (client, epoch) => client.receiveMessage(at(epoch)),
    refuse: (client, epoch) => client.rejectMessage(at(epoch)),
  };
}

/** A Welcome. */
export function receivingWelcome(welcome: IncomingWelcome): ReceivingSteps {
  const at = (epoch: bigint | undefined): IncomingWelcome =>
    epoch === undefined ? welcome : { ...welcome, inspectedEpoch: epoch };
  return {
    inspect: (client) => questionOfWelcome(client, welcome.bytes, welcome.ratchetTree),
    accept: (client, epoch) => client.receiveWelcome(at(epoch)),
    refuse: (client, epoch) => client.rejectWelcome(at(epoch)),
  };
}
