import { Drawer, Tabs } from '@mantine/core';
import { IconDatabase, IconShieldLock, IconUser } from '@tabler/icons-react';
import { ProtectionTab } from '../vault/ProtectionTab.tsx';
import { StorageTab } from '../storage/StorageTab.tsx';
import { AccountTab } from './AccountTab.tsx';

export type SettingsPart = 'account' | 'protection' | 'storage';

interface Props {
  /** Undefined: closed. */
  part: SettingsPart | undefined;
  onPart: (part: SettingsPart | undefined) => void;
}

export function SettingsDrawer({ part, onPart }: Props): React.JSX.Element {
  return (
    <Drawer
      opened={part !== undefined}
      onClose={() => onPart(undefined)}
      position="left"
      title="Settings"
      closeButtonProps={{ 'aria-label': 'Close' }}
      data-testid="settings-panel"
    >
      <Tabs value={part ?? 'account'} onChange={(value) => onPart((value ?? 'account') as SettingsPart)} keepMounted={false}>
        <Tabs.List grow mb="md">
          <Tabs.Tab value="account" px="xs" leftSection={<IconUser size={16} aria-hidden />} data-testid="account-tab">
            Account
          </Tabs.Tab>
          <Tabs.Tab value="protection" px="xs" leftSection={<IconShieldLock size={16} aria-hidden />} data-testid="protection-tab">
            Protection
          </Tabs.Tab>
          <Tabs.Tab value="storage" px="xs" leftSection={<IconDatabase size={16} aria-hidden />} data-testid="storage-tab">
            Storage
          </Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="account">
          <AccountTab />
        </Tabs.Panel>
        <Tabs.Panel value="protection">
          <ProtectionTab />
        </Tabs.Panel>
        <Tabs.Panel value="storage">
          <StorageTab />
        </Tabs.Panel>
      </Tabs>
    </Drawer>
  );
}
