import { isRefused } from '../delivery/errors.ts';
import type { SyncContext } from './context.ts';

const fewest = 10;
const full = 20;
/** A last-resort key package this close to its end, in seconds, is replaced. */
const renewBefore = 14n * 24n * 3600n;

/** Keeps enough key packages at the delivery service for others to invite this client while it is away. */
export class KeyPackages {
  /** Made, durable, but not known to have arrived: uploaded again instead of making new ones. */
  private unpublished: Uint8Array[] = [];
  private unpublishedLastResort: Uint8Array | undefined;

  constructor(private readonly context: SyncContext) {}

  async replenish(): Promise<void> {
    const { client, delivery } = this.context;
    let { available, lastResort } = await delivery.keyPackageCount();
    if (available > (await this.usable())) {
      // Of a browser that was lost: this client came out of a backup, and cannot open what is made for those. Before any new
      // one is made: if this fails, the next round finds the same.
      available = await delivery.withdrawKeyPackages();
    }
    if (available < fewest) {
      if (this.unpublished.length === 0) this.unpublished = await client.generateKeyPackages(full - available);
      await this.publish(this.unpublished, undefined);
      this.unpublished = [];
    }
    if (!lastResort || (await this.lastResortEnds())) {
      this.unpublishedLastResort ??= await client.generateLastResortKeyPackage();
      await this.publish([], this.unpublishedLastResort);
      this.unpublishedLastResort = undefined;
    }
  }

  /** How many one-time key packages this client has the private keys of. */
  private async usable(): Promise<number> {
    return (await this.context.client.keyPackages()).filter(({ lastResort, hasPrivateKeys }) => !lastResort && hasPrivateKeys).length;
  }

  private async publish(keyPackages: Uint8Array[], lastResort: Uint8Array | undefined): Promise<void> {
    try {
      await this.context.delivery.publishKeyPackages(keyPackages, lastResort);
    } catch (error) {
      // Refused for what they are: the same ones would be refused for ever.
      if (!isRefused(error)) throw error;
      this.context.events.emit('problem', { where: 'key packages', error });
    }
  }

  private async lastResortEnds(): Promise<boolean> {
    const now = BigInt(Math.floor(Date.now() / 1000));
    const lastResorts = (await this.context.client.keyPackages()).filter(({ lastResort }) => lastResort);
    return lastResorts.every(({ notAfter }) => notAfter < now + renewBefore);
  }
}
