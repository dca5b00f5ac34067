/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * html.c - puts a result, the scripts that show it and the chart library into
 * one page: it loads nothing, sends nothing, and can be mailed. What a server
 * said is in it as JSON only, in which no character can end the element.
 */
#include "html.h"

#include "html_parts.h"

static const char head[] =
	"<!doctype html>\n"
	"<html lang=\"en\">\n"
	"<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
	"'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
	"<title>stekprobe</title>\n"
	"<style>\n";

static const char body[] =
	"</style>\n"
	"<main><noscript>This page draws its charts by JavaScript; its figures "
	"stand as JSON in its source.</noscript></main>\n";

/* Text as the value of an attribute. */
static void put_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '<' || *text == '>' || *text == '&' ||
		    *text == '"' || (unsigned char)*text < ' ')
			fprintf(out, "&#%u;", (unsigned char)*text);
		else
			fputc(*text, out);
	}
}

/* JSON has '<' in strings only, where \\u003c says the same. */
static void put_json(FILE *out, const char *json, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (json[i] == '<')
			fputs("\\u003c", out);
		else
			fputc(json[i], out);
	}
}

static void put_script(FILE *out, const char *script, size_t len)
{
	fputs("<script>\n", out);
	fwrite(script, 1, len, out);
	fputs("</script>\n", out);
}

int html_write(const struct html_report *report, FILE *out)
{
	char made[32];
	struct tm tm;

	gmtime_r(&report->made_at, &tm);
	strftime(made, sizeof(made), "%Y-%m-%d %H:%M:%S UTC", &tm);
	fputs(head, out);
	fwrite(html_style, 1, html_style_len, out);
	fputs(body, out);
	fprintf(out, "<script type=\"application/json\" id=\"result\" "
		"data-command=\"%s\" data-made=\"%s\" data-about=\"",
		report->command, made);
	put_text(out, report->about);
	fputs("\">\n", out);
	put_json(out, report->json, report->json_len);
	fputs("</script>\n<script>\n/*\n", out);
	fwrite(html_d3_license, 1, html_d3_license_len, out);
	fputs("*/\n", out);
	fwrite(html_d3, 1, html_d3_len, out);
	fputs("\n</script>\n", out);
	put_script(out, html_charts, html_charts_len);
	put_script(out, html_report, html_report_len);
	return fflush(out) == 0 && !ferror(out) ? 0 : -1;
}
