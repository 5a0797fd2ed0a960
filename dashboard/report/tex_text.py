"""Text as TeX shows it: no command, no mathematics, no character that it does not know."""

from .text import plain

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}", "`": r"\textasciigrave{}", "[": "{[}", "]": "{]}",
    "*": "{*}", "\u00a0": "~", "\u202f": r"\,", "\u200b": "", "\t": "~~", "\n": " ",
    "–": r"\textendash{}", "—": r"\textemdash{}", "‘": r"\textquoteleft{}",
    "’": r"\textquoteright{}", "“": r"\textquotedblleft{}", "”": r"\textquotedblright{}",
    "…": r"\ldots{}", "✕": r"$\times$", "−": "$-$", "≤": r"$\leq$", "≥": r"$\geq$",
    "≈": r"$\approx$", "≠": r"$\neq$", "∞": r"$\infty$", "→": r"$\rightarrow$", "√": r"$\surd$",
    "∂": r"$\partial$", "∇": r"$\nabla$", "Δ": r"$\Delta$", "Σ": r"$\Sigma$", "α": r"$\alpha$",
    "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$", "ε": r"$\varepsilon$", "η": r"$\eta$",
    "κ": r"$\kappa$", "λ": r"$\lambda$", "μ": r"$\mu$", "π": r"$\pi$", "ρ": r"$\rho$",
    "σ": r"$\sigma$", "τ": r"$\tau$", "φ": r"$\varphi$", "χ": r"$\chi$", "ω": r"$\omega$",
    "\ufffd": r"\unicodechar{FFFD}",
}  # fmt: skip


def escaped(text: object) -> str:
    """The text for TeX; a character that it cannot show by its number, as ``[U+4E2D]``."""
    # Two hyphens or commas in a row would be drawn as one dash or quotation mark.
    return "".join(map(_shown, plain(text))).replace("--", "-{}-").replace(",,", ",{},")


def _shown(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    # All of Latin-1 is in the fonts of T1 and textcomp.
    if character <= "~" or "\u00a1" <= character <= "\u00ff":
        return character
    return rf"\unicodechar{{{ord(character):04X}}}"
