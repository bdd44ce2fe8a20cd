// Everything here is a comfort: each page works without it as plain forms and links.
// Words a person reads come from data attributes in the templates, never from this file.
import { openFromLinks } from "./dialogs.js";
import { copyOnClick } from "./copy.js";
import { keys } from "./keys.js";
import { closeMenus } from "./menus.js";
import { keepFocus } from "./swaps.js";
import { printOnClick } from "./print.js";
import { sendOnce } from "./sending.js";
import { selection } from "./selection.js";
import { switchTheme } from "./theme.js";

document.documentElement.classList.add("has-script");
openFromLinks();
copyOnClick();
closeMenus();
keepFocus();
printOnClick();
selection();
sendOnce();
switchTheme();
keys();
