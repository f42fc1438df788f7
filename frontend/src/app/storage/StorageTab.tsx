import { Stack } from '@mantine/core';
import { Backup } from '../backup/Backup.tsx';
import { Health } from './Health.tsx';
import { Persistence, Usage } from './Usage.tsx';
import { useRoom } from './use-room.ts';

/** What the chat has stored in this browser, whether that stays, and whether it can be read. */
export function StorageTab(): React.JSX.Element {
  const { room, asked, ask } = useRoom();
  return (
    <Stack gap="lg">
      <Usage room={room} />
      <Persistence room={room} asked={asked} onAsk={ask} />
      <Backup />
      <Health />
    </Stack>
  );
}
