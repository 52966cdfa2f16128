"""One party of SPU's PSI over its own link, without TLS; prints one line of JSON.

    python spu_psi.py PARTY PORT ITEMS COMMON FOLDER PROTOCOL

PROTOCOL is ecdh (Curve25519) or rr22 (Rindal and Raghuraman, CCS 2022, by vector OLE). Both
parties learn the intersection. It reads and writes CSV files, which is part of the time.
"""

import json
import sys
import time
from pathlib import Path

import spu.libspu.link as link
import spu.psi as psi

PARTY, PORT, ITEMS, COMMON = map(int, sys.argv[1:5])
FOLDER, PROTOCOL = Path(sys.argv[5]), sys.argv[6]

first = PARTY * (ITEMS - COMMON)
source, target = FOLDER / f"{PROTOCOL}-{PARTY}.csv", FOLDER / f"{PROTOCOL}-{PARTY}.out.csv"
source.write_text("id\n" + "".join(f"person {n}\n" for n in range(first, first + ITEMS)))

protocol = psi.PsiProtocolConfig(
    protocol={"ecdh": psi.PsiProtocol.PROTOCOL_ECDH, "rr22": psi.PsiProtocol.PROTOCOL_RR22}[
        PROTOCOL
    ],
    receiver_rank=0,
    broadcast_result=True,
    ecdh_params=psi.EcdhParams(curve=psi.EllipticCurveType.CURVE_25519),
)
config = psi.PsiExecuteConfig(
    protocol_conf=protocol,
    input_params=psi.InputParams(path=str(source), selected_keys=["id"], keys_unique=True),
    output_params=psi.OutputParams(path=str(target), disable_alignment=True),
)
parties = link.Desc()
for number in range(2):
    parties.add_party(f"party-{number}", f"127.0.0.1:{PORT + number}")
line = link.create_brpc(parties, PARTY)
began, worked = time.perf_counter(), time.process_time()
report = psi.psi_execute(config, line)
seconds, cpu = time.perf_counter() - began, time.process_time() - worked
line.stop_link()
found = {"sent": None, "common": report.intersection_count}
print(json.dumps({"seconds": seconds, "cpu": cpu, **found}))
