import { Text, Title } from '@mantine/core';
import { IconMessages } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { useActions } from './actions.ts';
import styles from './chat.module.css';
import { ConversationList } from './ConversationList.tsx';
import { ConversationView } from './ConversationView.tsx';
import { useConversations, useSelected, useSession } from './hooks.ts';
import { NewGroupModal } from './NewGroupModal.tsx';
import { SettingsDrawer, type SettingsPart } from './settings/SettingsDrawer.tsx';
import { Banners } from './Banners.tsx';
import { useLockable } from './vault/unlocks.ts';

export function ChatApp(): React.JSX.Element {
  const { engine, history } = useSession();
  const { lock } = useActions();
  const lockable = useLockable();
  const conversations = useConversations();
  const [named, selectNamed] = useSelected();
  const [creating, setCreating] = useState(false);
  const [settings, setSettings] = useState<SettingsPart>();
  const conversation = named === undefined ? undefined : conversations?.find(({ id }) => history.nameOutside(id) === named);
  const select = (id: string): void => selectNamed(history.nameOutside(id));
  const shown = conversation?.id;

  useEffect(() => {
    void engine.show(shown);
  }, [engine, shown]);

  const unread = conversations?.reduce((sum, { unread: count }) => sum + count, 0) ?? 0;
  useEffect(() => {
    document.title = unread > 0 ? `(${unread}) Chat` : 'Chat';
  }, [unread]);

  return (
    <div className={styles.shell} data-view={conversation === undefined ? 'list' : 'conversation'} data-testid="chat-app">
      <div className={styles.banners}>
        <Banners onSettings={setSettings} />
      </div>
      <ConversationList
        conversations={conversations}
        selected={shown}
        onSelect={select}
        onNew={() => setCreating(true)}
        onSettings={() => setSettings('account')}
        onLock={lockable ? lock : undefined}
      />
      <main className={styles.main}>
        {conversation === undefined ? (
          <div className={styles.empty} data-testid="no-conversation">
            <IconMessages size={56} stroke={1.2} className={styles.emptyIcon} aria-hidden />
            <Title order={2} size="h4">
              {named === undefined || conversations === undefined ? 'No conversation open' : 'This conversation is not on this device'}
            </Title>
            <Text c="dimmed">Choose one from the list, or start a new one.</Text>
          </div>
        ) : (
          <ConversationView key={conversation.id} conversation={conversation} onBack={() => selectNamed(undefined)} />
        )}
      </main>
      <NewGroupModal
        opened={creating}
        onClose={() => setCreating(false)}
        onCreated={(id) => {
          setCreating(false);
          select(id);
        }}
      />
      <SettingsDrawer part={settings} onPart={setSettings} />
    </div>
  );
}
