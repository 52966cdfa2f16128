from moiety.transform.account import Guarantee as Guarantee
from moiety.transform.encoding import Encoding as Encoding
from moiety.transform.estimator import PrivateTransform as PrivateTransform
from moiety.transform.labels import flip as flip
from moiety.transform.ledger import Ledger as Ledger
