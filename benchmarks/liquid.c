// liquid-dsp's OFDM frame generator, synchroniser and channel behind plain functions for ctypes. Linked with -lliquid.
// Only the public interface of <liquid/liquid.h> is used.
#include <complex.h>
#include <stdlib.h>
#include <string.h>
#include <liquid/liquid.h>

// Carrier types of the default allocation: 0 null, 1 pilot, 2 data; p[M].
int peer_carriers(unsigned M, unsigned char *p) { return ofdmframe_init_default_sctype(M, p); }

const char *peer_version(void) { return liquid_libversion(); }

// payload[frames][symbols][M] (whole grids) -> out[frames][(3 + symbols) * (M + cp)]
int peer_transmit(unsigned M, unsigned cp, unsigned frames, unsigned symbols, float complex *payload, float complex *out) {
    unsigned char p[M];
    ofdmframe_init_default_sctype(M, p);
    ofdmframegen q = ofdmframegen_create(M, cp, 0, p);
    const unsigned length = M + cp;
    for (unsigned f = 0; f < frames; f++) {
        ofdmframegen_reset(q);
        ofdmframegen_write_S0a(q, out); out += length;
        ofdmframegen_write_S0b(q, out); out += length;
        ofdmframegen_write_S1(q, out); out += length;
        for (unsigned s = 0; s < symbols; s++) {
            ofdmframegen_writesymbol(q, payload, out);
            payload += M; out += length;
        }
    }
    ofdmframegen_destroy(q);
    return 0;
}

typedef struct {
    unsigned M, symbols, most, frames, symbol;
    unsigned long consumed;
    unsigned long *where;
    float *cfo;
    float complex *grid;
    ofdmframesync sync;
} state;

static int on_symbol(float complex *y, unsigned char *p, unsigned M, void *user) {
    (void)p;
    state *s = user;
    if (s->frames >= s->most) return 1;
    if (s->symbol == 0) {
        s->where[s->frames] = s->consumed;
        s->cfo[s->frames] = ofdmframesync_get_cfo(s->sync);
    }
    memcpy(s->grid + ((size_t)s->frames * s->symbols + s->symbol) * M, y, M * sizeof *y);
    if (++s->symbol < s->symbols) return 0;
    s->symbol = 0;
    s->frames++;
    return 1;  // frame over: look for the next
}

// Samples to frames. `step` samples are given at a time; where[frame] = samples given when the first data symbol came out.
// Returns the number of frames; cfo in rad a sample; grid[most][symbols][M].
unsigned peer_receive(unsigned M, unsigned cp, unsigned symbols, float complex *x, unsigned long n, unsigned step, unsigned most,
                      unsigned long *where, float *cfo, float complex *grid) {
    unsigned char p[M];
    ofdmframe_init_default_sctype(M, p);
    state s = {.M = M, .symbols = symbols, .most = most, .where = where, .cfo = cfo, .grid = grid};
    s.sync = ofdmframesync_create(M, cp, 0, p, on_symbol, &s);
    for (unsigned long i = 0; i < n; i += step) {
        unsigned count = n - i < step ? (unsigned)(n - i) : step;
        s.consumed = i + count;
        ofdmframesync_execute(s.sync, x + i, count);
    }
    ofdmframesync_destroy(s.sync);
    return s.frames;
}

// Multipath + CFO + AWGN, with a resampler of `rate` before it if rate is not 1; out[n + n/100 + 64]. Returns samples written.
unsigned long peer_channel(float complex *x, unsigned long n, float complex *h, unsigned taps, float dphi, float snr_db, float rate,
                           float complex *work, float complex *out) {
    channel_cccf q = channel_cccf_create();
    channel_cccf_add_multipath(q, h, taps);
    channel_cccf_add_carrier_offset(q, dphi, 0.0f);
    channel_cccf_add_awgn(q, -snr_db, snr_db);
    unsigned long total = n;
    if (rate != 1.0f) {
        resamp_crcf r = resamp_crcf_create_default(rate);
        total = 0;
        for (unsigned long i = 0; i < n; i++) {
            unsigned written = 0;
            resamp_crcf_execute(r, x[i], work + total, &written);
            total += written;
        }
        resamp_crcf_destroy(r);
        x = work;
    }
    channel_cccf_execute_block(q, x, total, out);
    channel_cccf_destroy(q);
    return total;
}
