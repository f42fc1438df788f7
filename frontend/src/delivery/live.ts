import * as read from './answers.ts';
import { Backoff } from './backoff.ts';
import type { DeliveryClient } from './client.ts';
import { isRefused } from './errors.ts';
import type { LiveEvent } from './types.ts';

export interface LiveHandlers {
  /** The connection stands. Whatever happened before it must be read from the logs. */
  onReady(): void;
  onEvent(event: LiveEvent): void;
  onDown(): void;
  /** Signing in was refused: the connection has stopped and is not tried again by itself. */
  onRefused(code: string): void;
}

const openTimeoutMs = 20_000;

/** The WebSocket half: kept open, reopened with back-off, at once when the browser says it is online again. */
export class LiveConnection {
  private readonly backoff = new Backoff();
  private socket: WebSocket | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stopped = true;
  /** Distinguishes the current attempt from events of sockets already given up. */
  private attempt = 0;

  constructor(
    private readonly delivery: DeliveryClient,
    private readonly handlers: LiveHandlers,
  ) {}

  start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    globalThis.addEventListener?.('online', this.reconnect);
    globalThis.addEventListener?.('offline', this.drop);
    void this.connect();
  }

  stop(): void {
    this.stopped = true;
    this.attempt += 1;
    clearTimeout(this.timer);
    globalThis.removeEventListener?.('online', this.reconnect);
    globalThis.removeEventListener?.('offline', this.drop);
    this.socket?.close();
    this.socket = undefined;
  }

  /** Tries now instead of after the back-off; does nothing while a connection stands. */
  readonly reconnect = (): void => {
    if (this.stopped || this.socket !== undefined) return;
    this.backoff.reset();
    void this.connect();
  };

  private readonly drop = (): void => {
    if (!this.stopped) this.lost(this.attempt);
  };

  private async connect(): Promise<void> {
    clearTimeout(this.timer);
    const attempt = ++this.attempt;
    let token: string;
    try {
      token = await this.delivery.token();
    } catch (error) {
      if (attempt !== this.attempt) return;
      if (isRefused(error)) {
        this.stop();
        this.handlers.onRefused(error.code);
      } else {
        this.lost(attempt);
      }
      return;
    }
    if (attempt !== this.attempt) return;
    this.openSocket(attempt, token);
  }

  private openSocket(attempt: number, token: string): void {
    const url = new URL('/v1/live', this.delivery.origin);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url);
    this.socket = socket;
    let ready = false;
    this.timer = setTimeout(() => this.lost(attempt), openTimeoutMs);
    socket.onopen = () => socket.send(JSON.stringify({ type: 'authenticate', token }));
    socket.onclose = () => {
      // Closed before it was ready may mean that the token is no longer known.
      if (!ready) this.delivery.forgetToken();
      this.lost(attempt);
    };
    socket.onmessage = ({ data }) => {
      if (attempt !== this.attempt) return;
      let event: LiveEvent | 'ready' | undefined;
      try {
        event = read.liveEvent(JSON.parse(String(data)));
      } catch {
        this.lost(attempt); // Not what was agreed: start over from the logs.
        return;
      }
      if (event === 'ready') {
        ready = true;
        clearTimeout(this.timer);
        this.backoff.reset();
        this.handlers.onReady();
      } else if (event !== undefined) {
        this.handlers.onEvent(event);
      }
    };
  }

  private lost(attempt: number): void {
    if (this.stopped || attempt !== this.attempt) return;
    this.attempt += 1;
    this.socket?.close();
    this.socket = undefined;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.connect(), this.backoff.next());
    this.handlers.onDown();
  }
}
