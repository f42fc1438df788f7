import { Alert, Anchor } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { useSession, useStorageTrouble, type StorageTrouble } from './hooks.ts';
import type { SettingsPart } from './settings/SettingsDrawer.tsx';
import { sizeText } from './storage/room.ts';

const storageTexts: Record<Exclude<StorageTrouble, undefined>, { title: string; text: string }> = {
  crypto: {
    title: 'This device cannot save at the moment',
    text: 'Nothing is sent before it is saved, and saving is tried again. Its storage may be full.',
  },
  history: {
    title: 'The history cannot be written at the moment',
    text: 'New messages are kept safe and appear once it can. This device’s storage may be full.',
  },
  'rolled-back': {
    title: 'Some changes could not be saved',
    text: 'They were undone, and nothing of them was sent. Messages marked “not sent” can be tried again.',
  },
};

export function Banners({ onSettings }: { onSettings: (part: SettingsPart) => void }): React.JSX.Element {
  const { engine, room } = useSession();
  const low = useSyncExternalStore(room.subscribe, room.low);
  const [trouble, dismiss] = useStorageTrouble();
  const [refused, setRefused] = useState<string>();
  useEffect(() => engine.events.on('sign-in-refused', setRefused), [engine]);
  const [putBack, setPutBack] = useState(false);
  useEffect(() => engine.events.on('joining-anew', () => setPutBack(true)), [engine]);

  return (
    <>
      {trouble !== undefined && (
        <Alert
          role="alert"
          color="orange"
          radius={0}
          icon={<IconAlertTriangle aria-hidden />}
          title={storageTexts[trouble].title}
          withCloseButton={trouble === 'rolled-back'}
          closeButtonLabel="Close"
          onClose={dismiss}
          data-testid="storage-banner"
          data-trouble={trouble}
        >
          {storageTexts[trouble].text}
        </Alert>
      )}
      {putBack && (
        <Alert
          role="alert"
          color="orange"
          radius={0}
          icon={<IconAlertTriangle aria-hidden />}
          title="This device was put back to an earlier state"
          withCloseButton
          closeButtonLabel="Close"
          onClose={() => setPutBack(false)}
          data-testid="put-back-banner"
        >
          The server has seen a newer one. So that no key is used twice, this device joins its conversations anew before it sends
          anything. Messages of the time in between may be missing here.
        </Alert>
      )}
      {low !== undefined && trouble === undefined && (
        <Alert
          role="alert"
          color="yellow"
          radius={0}
          icon={<IconAlertTriangle aria-hidden />}
          title="There is little room left"
          withCloseButton
          closeButtonLabel="Close"
          onClose={() => room.dismiss()}
          data-testid="room-banner"
        >
          {sizeText(Math.max(0, low.quota - low.usage))} are left for this site. When there is nothing left, nothing can be sent or received.
          Free some space on this device.{' '}
          <Anchor component="button" type="button" onClick={() => onSettings('storage')} inherit>
            Storage
          </Anchor>
        </Alert>
      )}
      {refused !== undefined && (
        <Alert
          role="alert"
          color="red"
          radius={0}
          icon={<IconAlertTriangle aria-hidden />}
          title="The server does not let this device in"
          withCloseButton
          closeButtonLabel="Close"
          onClose={() => setRefused(undefined)}
          data-testid="sign-in-banner"
          data-code={refused}
        >
          Your history is here, but nothing can be sent or received ({refused}). If it was linked by another device, look in the{' '}
          <Anchor component="button" type="button" onClick={() => onSettings('account')} inherit>
            settings
          </Anchor>{' '}
          for this device’s code, or{' '}
          <Anchor
            component="button"
            type="button"
            inherit
            onClick={() => {
              setRefused(undefined);
              engine.signInAgain();
            }}
          >
            try again
          </Anchor>
          .
        </Alert>
      )}
    </>
  );
}
