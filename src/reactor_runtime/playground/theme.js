/** Dark or light: the system's wish until the person says otherwise. Runs before the first paint. */

const KEY = "reactor.theme";
const root = document.documentElement;
const prefersDark = matchMedia("(prefers-color-scheme: dark)");

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage is off: the choice lasts as long as the page
  }
}

function remember(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    /* as above */
  }
}

const currentTheme = () => root.dataset.theme ?? (prefersDark.matches ? "dark" : "light");

const stored = remembered();
if (stored === "dark" || stored === "light") root.dataset.theme = stored;

/** Makes `button` the switch; `render(theme)` is called with what is in force now and after each change. */
export function bindThemeButton(button, render) {
  const refresh = () => {
    const theme = currentTheme();
    button.setAttribute("aria-label", theme === "dark" ? "Switch to light theme" : "Switch to dark theme");
    button.title = button.getAttribute("aria-label");
    render(theme);
  };
  button.addEventListener("click", () => {
    root.dataset.theme = currentTheme() === "dark" ? "light" : "dark";
    remember(root.dataset.theme);
    refresh();
  });
  prefersDark.addEventListener("change", refresh);
  refresh();
}
