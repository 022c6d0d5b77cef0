/*
 * The dice. Runs in the workers of ports that have faults. Must never depend on anything except its
 * arguments: no state, no clock, and no library whose rounding differs between machines.
 */
#include "fault/fault.h"

/* The output function of splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
 * Generators, 2014): every bit of the input reaches every bit of the result. */
static uint64_t mix(uint64_t z)
{
	z += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t fault_draw(uint64_t seed, uint32_t loop, uint64_t count)
{
	return mix(mix(mix(seed) ^ loop) ^ count);
}

bool fault_strikes(const struct fault *f, uint64_t draw)
{
	return (draw >> 32) * FAULT_PROBABILITY_ONE >> 32 < f->probability;
}

/* A number in (0, 1]. */
static double unit(uint64_t draw)
{
	return ((double)(draw >> 11) + 1) / (double)(UINT64_C(1) << 53);
}

/* -ln(u) for u in (0, 1]: doubles u until it is at least one half, then uses the series of the
 * inverse hyperbolic tangent for the rest. */
static double negative_log(double u)
{
	double result = 0;
	while (u < 0.5) {
		u *= 2;
		result += 0.69314718055994530942; /* ln 2 */
	}
	double term = (1 - u) / (1 + u), power = term;
	for (int k = 1; k < 40; k += 2) {
		result += 2 * power / k;
		power *= term * term;
	}
	return result;
}

/* The sum of twelve uniform numbers is close enough to normal, and never more than six deviations
 * away. */
static double normal(uint64_t draw)
{
	double sum = -6;
	for (int i = 0; i < 12; i++)
		sum += unit(draw = mix(draw));
	return sum;
}

uint64_t fault_delay_ms(const struct fault *f, uint64_t draw)
{
	double mean = (double)f->mean_ms, deviation = (double)f->deviation_ms, ms = mean;
	/* the number that decided whether the fault strikes is no longer uniform */
	draw = mix(draw);
	switch ((enum fault_distribution)f->how) {
	case FAULT_FIXED:
		break;
	case FAULT_UNIFORM:
		ms = mean + deviation * (2 * unit(draw) - 1);
		break;
	case FAULT_NORMAL:
		ms = mean + deviation * normal(draw);
		break;
	case FAULT_EXPONENTIAL:
		ms = mean * negative_log(unit(draw));
		break;
	}
	if (ms < (double)f->min_ms)
		return f->min_ms;
	return ms > (double)f->max_ms ? f->max_ms : (uint64_t)(ms + 0.5);
}
