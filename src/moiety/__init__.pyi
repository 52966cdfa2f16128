from moiety.function.function import secure as secure
from moiety.function.signature import From as From
from moiety.function.signature import Kept as Kept
from moiety.function.signature import Results as Results
from moiety.function.signature import Shared as Shared
from moiety.function.signature import To as To

__version__: str
