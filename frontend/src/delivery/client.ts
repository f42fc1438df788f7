import * as read from './answers.ts';
import { toBase64Url } from './bytes.ts';
import { DeliveryError, errorOfAnswer, isRefused } from './errors.ts';
import type { CommitUpload, Link, LogPage, RegisteredClient, Signer, WelcomeEntry } from './types.ts';

const requestTimeoutMs = 20_000;

interface RequestOptions {
  body?: unknown;
  authenticated?: boolean;
}

/**
 * The HTTP half of the delivery service's API. Every method throws `DeliveryError` and nothing else.
 * It signs in by itself, once per token: a challenge, signed with the client's MLS signature key.
 */
export class DeliveryClient {
  private signedIn: Promise<string> | undefined;

  constructor(
    readonly origin: string,
    private readonly signer: Signer,
    private readonly fetchFn: typeof fetch = (...args) => fetch(...args),
  ) {}

  /**
   * A token of this client; registers the client when the delivery service does not know it yet.
   * Refused with `not-linked` when the user name belongs to someone whose devices have not linked this key.
   */
  token(): Promise<string> {
    this.signedIn ??= this.signIn().catch((error: unknown) => {
      this.signedIn = undefined;
      throw error;
    });
    return this.signedIn;
  }

  forgetToken(): void {
    this.signedIn = undefined;
  }

  private async signIn(): Promise<string> {
    if (!this.signer.registered) return this.register();
    try {
      return read.text(await this.prove('/v1/sessions', false), 'token');
    } catch (error) {
      // To a client it does not know the service says the same as to a wrong signature.
      if (!(error instanceof DeliveryError) || error.status !== 401) throw error;
      return this.register();
    }
  }

  /** Repeating it is harmless: the same client with the same key is registered once. */
  private async register(): Promise<string> {
    return read.text(await this.prove('/v1/clients', true), 'token');
  }

  private async prove(path: string, withKey: boolean): Promise<unknown> {
    const answer = await this.request('POST', '/v1/challenges', { body: {}, authenticated: false });
    const challenge = read.bytes(answer, 'challenge');
    const signature = await this.signer.sign(challenge);
    const body = {
      user: this.signer.user,
      client: this.signer.client,
      ...(withKey ? { publicKey: toBase64Url(this.signer.publicKey) } : {}),
      challenge: toBase64Url(challenge),
      signature: toBase64Url(signature),
    };
    return this.request('POST', path, { body, authenticated: false });
  }

  /** Throws when the delivery service cannot be reached. */
  async reach(): Promise<void> {
    await this.request('GET', '/v1/health', { authenticated: false });
  }

  async link(publicKey: Uint8Array): Promise<void> {
    await this.request('POST', '/v1/links', { body: { publicKey: toBase64Url(publicKey) } });
  }

  async clientsOf(user: string): Promise<RegisteredClient[]> {
    return read.list(await this.request('GET', `/v1/users/${encodeURIComponent(user)}`), 'clients', read.registeredClient);
  }

  async publishKeyPackages(keyPackages: Uint8Array[], lastResort?: Uint8Array): Promise<number> {
    const body = {
      keyPackages: keyPackages.map(toBase64Url),
      ...(lastResort === undefined ? {} : { lastResort: toBase64Url(lastResort) }),
    };
    return read.number(await this.request('PUT', '/v1/key-packages', { body }), 'available');
  }

  /** None of the one-time key packages that are there is given out any more. Returns how many are left: a service may keep them. */
  async withdrawKeyPackages(): Promise<number> {
    return read.number(await this.request('PUT', '/v1/key-packages', { body: { keyPackages: [], replace: true } }), 'available');
  }

  async keyPackageCount(): Promise<{ available: number; lastResort: boolean }> {
    const answer = await this.request('GET', '/v1/key-packages');
    return { available: read.number(answer, 'available'), lastResort: read.flag(answer, 'lastResort') };
  }

  /** A key package of each of these clients of the user that has one; it is handed out to nobody else after this. */
  async takeKeyPackages(user: string, clients: readonly string[]): Promise<{ client: string; keyPackage: Uint8Array }[]> {
    const answer = await this.request('POST', `/v1/users/${encodeURIComponent(user)}/key-packages`, { body: { clients } });
    return read.list(answer, 'keyPackages', (item) => ({
      client: read.text(item, 'client'),
      keyPackage: read.bytes(item, 'keyPackage'),
    }));
  }

  /** Registers a group; one that exists already is fine, for a repeated request looks the same. */
  async registerGroup(groupId: Uint8Array): Promise<void> {
    try {
      await this.request('POST', '/v1/groups', { body: { groupId: toBase64Url(groupId) } });
    } catch (error) {
      if (!isRefused(error, 'group-exists')) throw error;
    }
  }

  async sendMessage(groupId: Uint8Array, id: string, message: Uint8Array, link?: Link): Promise<number> {
    const body = { id, message: toBase64Url(message), ...linkFields(link) };
    return read.number(await this.request('POST', `${group(groupId)}/messages`, { body }), 'position');
  }

  async sendCommit(groupId: Uint8Array, upload: CommitUpload, link?: Link): Promise<number> {
    const body = {
      id: upload.id,
      commit: toBase64Url(upload.commit),
      ...(upload.welcome === undefined ? {} : { welcome: toBase64Url(upload.welcome) }),
      added: upload.added,
      removed: upload.removed,
      ...linkFields(link),
    };
    return read.number(await this.request('POST', `${group(groupId)}/commits`, { body }), 'position');
  }

  /** The groups this client is a member of, each with the position of the last entry of its log. */
  async groups(): Promise<{ groupId: Uint8Array; position: number }[]> {
    return read.list(await this.request('GET', '/v1/groups'), 'groups', (item) => ({
      groupId: read.bytes(item, 'groupId'),
      position: read.number(item, 'position'),
    }));
  }

  async log(groupId: Uint8Array, after: number, limit = 200): Promise<LogPage> {
    return read.logPage(await this.request('GET', `${group(groupId)}/log?after=${after}&limit=${limit}`));
  }

  /** What this client, a member, can join the group anew by. Refused with `no-group-info` if nobody has published it. */
  async groupInfo(groupId: Uint8Array): Promise<Uint8Array> {
    return read.bytes(await this.request('GET', `${group(groupId)}/info`), 'groupInfo');
  }

  async publishGroupInfo(groupId: Uint8Array, epoch: bigint, groupInfo: Uint8Array): Promise<void> {
    const body = { epoch: Number(epoch), groupInfo: toBase64Url(groupInfo) };
    await this.request('PUT', `${group(groupId)}/info`, { body });
  }

  async welcomes(after: number): Promise<WelcomeEntry[]> {
    return read.list(await this.request('GET', `/v1/welcomes?after=${after}`), 'welcomes', read.welcomeEntry);
  }

  async deleteWelcomes(upTo: number): Promise<void> {
    await this.request('DELETE', `/v1/welcomes?upTo=${upTo}`);
  }

  private async request(method: string, path: string, options: RequestOptions = {}): Promise<unknown> {
    if (options.authenticated === false) return this.fetchJson(method, path, options.body);
    try {
      return await this.fetchJson(method, path, options.body, await this.tokenForRequest());
    } catch (error) {
      if (!(error instanceof DeliveryError) || error.status !== 401) throw error;
      // The token ran out or the service lost it: sign in once more, then the answer stands.
      this.forgetToken();
      return this.fetchJson(method, path, options.body, await this.tokenForRequest());
    }
  }

  /** A refused sign-in says nothing about the request that needed it: that one is kept and asked again. */
  private async tokenForRequest(): Promise<string> {
    try {
      return await this.token();
    } catch (error) {
      if (!isRefused(error)) throw error;
      throw new DeliveryError('unreachable', 'signed-out', error.message, 0, { reason: error.code });
    }
  }

  private async fetchJson(method: string, path: string, body: unknown, token?: string): Promise<unknown> {
    let response: Response;
    let answer: unknown;
    try {
      response = await this.fetchFn(this.origin + path, {
        method,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        cache: 'no-store',
        credentials: 'omit',
        referrerPolicy: 'no-referrer',
        signal: AbortSignal.timeout(requestTimeoutMs),
      });
      const received = await response.text();
      answer = received === '' ? undefined : JSON.parse(received);
    } catch (error) {
      if (error instanceof SyntaxError) {
        throw new DeliveryError('unreachable', 'unexpected-answer', 'the answer is not from the delivery service');
      }
      throw new DeliveryError('unreachable', 'network', 'the delivery service cannot be reached');
    }
    if (!response.ok) throw errorOfAnswer(response.status, answer);
    return answer;
  }
}

function linkFields(link: Link | undefined): { previous?: string; link?: string } {
  if (link === undefined) return {};
  const { previous } = link;
  return { ...(previous === undefined ? {} : { previous: toBase64Url(previous) }), link: toBase64Url(link.link) };
}

function group(groupId: Uint8Array): string {
  return `/v1/groups/${toBase64Url(groupId)}`;
}
