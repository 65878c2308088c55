"""Where an address lacks the slash at its end: people are sent on, programs with what they sent."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware

from kb import api


class SlashMiddleware(CommonMiddleware):
    """Addresses end with a slash. A program that leaves it out is sent on with its method and its body (308).

    Django's own 301 makes a GET of a POST, and a program that follows it believes that it has written something.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        is_lost = response.status_code == 404 and api.is_for_programs(request)
        if is_lost and self.should_redirect_with_slash(request):
            # Programs of other sites are not led astray by `//`: these addresses begin with /api/.
            return api.moved(request.get_full_path(force_append_slash=True))
        return super().process_response(request, response)
