"""Codes of an authenticator app by pyotp, which shares no code with the provider.

Arguments: the address of the QR code, and moments in Unix seconds. Prints a code for each, a line each.
"""

import sys

import pyotp

app = pyotp.parse_uri(sys.argv[1])
assert isinstance(app, pyotp.TOTP) and app.issuer and app.name, sys.argv[1]
for moment in sys.argv[2:]:
    print(app.at(int(moment)))
