import { Alert, Button, Loader, Progress, Text, Title } from '@mantine/core';
import { sizeText } from './room.ts';
import type { RoomState } from './use-room.ts';

export function Usage({ room }: { room: RoomState['room'] }): React.JSX.Element {
  return (
    <section>
      <Title order={2} size="h5">
        Room
      </Title>
      {room === undefined && <Loader size="xs" aria-label="Loading" />}
      {room === null && <Text size="sm">This browser does not say how much is stored.</Text>}
      {room != null && (
        <>
          <Text size="sm" mt="xs" mb={6} data-testid="storage-usage">
            {sizeText(room.usage)} used, of {sizeText(room.quota)} that this site may use
          </Text>
          <Progress value={room.quota === 0 ? 100 : (100 * room.usage) / room.quota} aria-label="Room used" />
        </>
      )}
    </section>
  );
}

interface PersistenceProps {
  room: RoomState['room'];
  asked: RoomState['asked'];
  onAsk: () => void;
}

/** A browser that runs out of space deletes what sites have stored, unless it has promised not to. */
export function Persistence({ room, asked, onAsk }: PersistenceProps): React.JSX.Element {
  const persisted = room?.persisted === true;
  return (
    <section>
      <Title order={2} size="h5">
        Does it stay?
      </Title>
      <Text size="sm" mt="xs" role="status" data-testid="persistence" data-persisted={persisted}>
        {persisted
          ? 'The browser has promised to keep it, also when space runs out. You can still delete it yourself, with the site data.'
          : 'When space runs out, the browser may delete it without asking.'}
      </Text>
      {!persisted && (
        <Button variant="light" size="xs" mt="xs" onClick={onAsk} data-testid="persist-button">
          Ask the browser to keep it
        </Button>
      )}
      {asked === 'refused' && !persisted && (
        <Alert color="yellow" mt="xs" role="status" data-testid="persistence-refused">
          The browser has not agreed. Some do so by themselves for sites that you use often, have installed, or let show
          notifications.
        </Alert>
      )}
    </section>
  );
}
