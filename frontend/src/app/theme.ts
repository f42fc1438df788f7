import { createTheme, type MantineColorsTuple } from '@mantine/core';

/** A quiet green-blue. Shade 8 on white and shade 4 on the dark page both pass WCAG AA for text. */
const pine: MantineColorsTuple = [
  '#e9f7f5',
  '#d5ebe7',
  '#aad6cf',
  '#7bc0b6',
  '#54aea1',
  '#3ba394',
  '#2b9488',
  '#1c7f74',
  '#0f6c63',
  '#055a52',
];

export const theme = createTheme({
  primaryColor: 'pine',
  primaryShade: { light: 8, dark: 7 },
  colors: { pine },
  respectReducedMotion: true,
  defaultRadius: 'md',
  cursorType: 'pointer',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  headings: { fontWeight: '650' },
});
