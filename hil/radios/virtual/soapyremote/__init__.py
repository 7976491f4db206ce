"""SoapyRemote's protocol over TCP. Facts: docs/virtual-soapy.md."""
