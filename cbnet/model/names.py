"""Names that a parameter or a variable of a model cannot have.

Strings of a model are read by Brian2 and sympy and become Python and C++. A name that means
something there would be ignored, or mean one thing to the theory and another to the simulation.
Brian2, which takes seconds to import, is not asked: the tests compare these lists with its own.
"""

import builtins
import errno
import keyword
import re

from ..errors import ModelError

_WORDS = {
    "a constant of Brian2": "pi e inf",
    "a function of Brian2": (
        "abs arccos arcsin arctan ceil clip cos cosh exp expm1 exprel floor int log log10 log1p "
        "poisson rand randn sign sin sinh sqrt tan tanh timestep"
    ),
    "a variable of Brian2": ("t dt t_in_timesteps i j N xi not_refractory lastspike lastupdate"),
    "an attribute of Brian2's groups": (
        "active add_attribute add_dependency add_to_magic_network after_run assign_id before_run "
        "check_variable_write clock code_objects codeobj_class contained_objects custom_operation "
        "equations event_codes events get_states id indices invalidates_magic_network "
        "method_choice name namespace order resetter resolve_all run run_on_event run_regularly "
        "runner set_event_schedule set_states spikes start state state_updater stop "
        "subexpression_updater thresholder updaters user_equations variables when"
    ),
    "something that cbnet has itself": (
        "v R_E R_I held crossed arrived_E arrived_I delivered after_arrivals kernel tau_S D model "
        "changes replace updated scaled resolve settings without_derived of differing to_dict "
        "from_dict checked fingerprint noise scaling N_E initial"
    ),
    "a word of C++": (
        "alignas alignof and_eq asm auto bitand bitor bool case catch char char16_t char32_t "
        "char8_t compl concept const const_cast consteval constexpr constinit co_await co_return "
        "co_yield decltype default delete do double dynamic_cast enum explicit export extern "
        "false float friend goto inline long mutable new noexcept not_eq nullptr operator or_eq "
        "private protected public register reinterpret_cast requires short signed sizeof static "
        "static_assert static_cast struct switch template this thread_local throw true typedef "
        "typeid typename union unsigned using virtual void volatile wchar_t xor xor_eq"
    ),
    "a function of C++": (
        "acos asin atan fabs fmod pow "
        # which are macros in some C library
        "alloca errno issubnormal isnan isinf isfinite signbit offsetof stdin stdout stderr linux "
        "unix assert math_errhandling sched_priority"
    ),
}
_KINDS = {name: kind for kind, names in _WORDS.items() for name in names.split()}

_UNIT = re.compile(
    r"(?:da|[yzafpnumcdhkMGTPEZY])?(?:metre|meter|second|amp|ampere|kelvin|mole|mol|candle|radian|"
    r"steradian|hertz|newton|pascal|joule|watt|coulomb|volt|farad|ohm|siemens|weber|tesla|henry|"
    r"lumen|lux|becquerel|gray|sievert|katal|gram|gramme|litre|liter|molar|kilogram|kilogramme|"
    r"celsius)[23]?"
    r"|[kM]?Hz|[mu]s|mV|[pnum]A|[npu]F|[nu]S|[mnu]M|[cmu]m[23]?"
)
_MACRO = re.compile(
    r"(?:ADJ|ATOMIC|BC|BUS|CBNET|CHAR|CLD|CLOCK|CLONE|CLOSE_RANGE|CPU|DBL|EXIT|FD|FLT|FP|FPE|HUGE|"
    r"ILL|INT|INT\d+|ITIMER|LC|LDBL|LLONG|LONG|MATH|MOD|NL|POLL|PRIO|PTHREAD|REG|RENAME|RLIM|RLIM64|"
    r"RLIMIT|RUSAGE|SCHED|SEEK|SEGV|SHRT|STA|STATX_?|STDERR|STDIN|STDOUT|TIME|TIMER|TRAP|UINT|UINT\d+|"
    r"ULONG|USHRT|UTIME|WINT)_[A-Z]\w*|(?:SA|SI|SS)_[A-Z]{3,}|[FRWX]_OK|F_(?:TEST|T?LOCK|ULOCK)"
    r"|L_(?:INCR|SET|XTND)|S_(?:I[A-Z]{3,}|TYPEIS\w+|BLKSIZE)|NSIG|NGREG|MINSIGSTKSZ|DECIMAL_DIG"
    r"|(?:ACCESS|ALL)PERMS|DEFFILEMODE|TEMP_FAILURE_RETRY|TIME(?:SPEC|VAL)_TO_TIME(?:SPEC|VAL)"
    r"|si_[a-z]\w*|sa_handler|sa_sigaction|sigmask|sigev_\w+|strn?dupa|assert_perror|st_[acm]time"
    r"|timer(?:add|clear|cmp|isset|sub)"
    r"|[A-Z]\w*_(?:MAX|MIN|WIDTH|SIZE|BIT|PER_SEC|ENDIAN|CANON|INPUT|BUF)|(?:INT|UINT)(?:\d+|MAX)_C"
    r"|M_(?:1_PI|2_PI|2_SQRTPI|E|LN10|LN2|LOG10E|LOG2E|PI|PI_2|PI_4|SQRT1_2|SQRT2)[fl]?\d*x?"
    r"|NULL|NAN|INFINITY|SNAN\w*|MAXFLOAT|BUFSIZ|BYTE_ORDER|CSIGNAL|EOF|WEOF|NFDBITS|NZERO"
    r"|EHWPOISON|SIG_?[A-Z]\w*|TIME_UTC|W(?:IF)?(?:CONTINUED|EXITED|EXITSTATUS|SIGNALED|STOPPED|NOHANG|NOWAIT|"
    r"STOPSIG|TERMSIG|UNTRACED)|P_tmpdir|L_(?:ctermid|cuserid|tmpnam)|(?:be|le|hto)\w*(?:16|32|64)\w*"
    r"|pthread_\w+"
)
_TYPE = re.compile(r"u?int(?:_fast|_least)?(?:8|16|32|64|ptr|max)_t|s?size_t|ptrdiff_t")
_VARIABLE = re.compile(r"^\s*(?:d(\w+)/dt|(\w+))\s*[=:]", flags=re.MULTILINE)


def check(name, label):
    """Refuse a name that means something else; ModelError in one line, beginning with `label`."""
    why = _reason(name)
    if why:
        raise ModelError(f"{label}: got {name!r}, {why}; choose another name")


def of_variables(equations):
    """Names of the variables in the text of equations."""
    return [found[1] or found[2] for found in _VARIABLE.finditer(equations)]


def _reason(name):
    if not (isinstance(name, str) and name.isascii() and name.isidentifier()):
        return "which is not made of letters, digits and underscores"
    if keyword.iskeyword(name) or hasattr(builtins, name):
        return "which is a word of Python"  # Brian2 evaluates its functions
    if name in _KINDS:
        return f"which is the name of {_KINDS[name]}"
    if _UNIT.fullmatch(name):
        return "which is the name of a unit"
    if name in vars(errno) or _MACRO.fullmatch(name):
        return "which is the name of a macro of C"
    if _TYPE.fullmatch(name):
        return "which is the name of a type of C++"
    if name.startswith(("_", "xi_")) or name.endswith(("_", "_pre", "_post")):
        return "which begins or ends as names do that have a meaning in Brian2"
    return ""
