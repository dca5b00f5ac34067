/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings_user.c - the user and group of the configuration, by name. Called by
 * settings.c.
 */
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "settings_check.h"
#include "settings_file.h"

static void read_group(struct settings *out, const struct file *in,
		       struct doc *doc, struct faults *faults)
{
	const struct group *group = getgrnam(in->group);

	if (in->user == NULL)
		fault(faults, doc_line(doc, "group"),
		      "found group without user, expected both");
	if (group == NULL)
		fault(faults, doc_line(doc, "group"), "found no group '%.63s', "
		      "expected one of this machine", in->group);
	else
		out->gid = group->gr_gid;
}

void settings_user_read(struct settings *out, const struct file *in,
			struct doc *doc, struct faults *faults)
{
	const struct passwd *user;

	if (in->user != NULL) {
		out->user = strdup(in->user);
		if (out->user == NULL)
			fault(faults, 0, "out of memory");
		user = getpwnam(in->user);
		if (user == NULL || user->pw_uid == 0)
			fault(faults, doc_line(doc, "user"), "found %s '%.63s' "
			      "for user, expected an ordinary one of this "
			      "machine", user != NULL ? "root's id of"
			      : "no user", in->user);
		out->uid = user != NULL ? user->pw_uid : 0;
		out->gid = user != NULL ? user->pw_gid : 0;
	}
	if (in->group != NULL)
		read_group(out, in, doc, faults);
}
