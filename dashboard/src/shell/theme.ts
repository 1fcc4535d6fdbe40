import { effect, signal } from '@preact/signals'

const THEMES = ['system', 'light', 'dark'] as const
type Theme = (typeof THEMES)[number]

const STORED = 'om-theme'

export const theme = signal<Theme>(THEMES.find((known) => known === localStorage.getItem(STORED)) ?? 'system')

effect(() => {
  localStorage.setItem(STORED, theme.value)
  document.documentElement.dataset.theme = theme.value
})

export function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'system'
}
